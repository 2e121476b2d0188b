package curve

// FeatureCount is the number of daily features; sdk.Features names them in order.
const FeatureCount = 24

// Features are the daily features of one meter-day, in the order of
// sdk.Features; NaN where the day does not give the feature.
type Features [FeatureCount]float32
