package curve

import "context"

// Encoded is a closed meter-day in its stored form, made where the day was
// validated: encoding is most of what storing costs, and a source can do it on
// several cores.
type Encoded struct {
	MeterID  string
	Date     Date
	Features Features
	Curve    []byte // as Encode appends it
}

// EncodedStore is a store, or the tx of a Transactional one, that takes days
// in their stored form. PutEncoded does what PutDays does with days of this
// origin. The store does not keep days or their curves after it returns.
type EncodedStore interface {
	PutEncoded(ctx context.Context, origin Origin, days []Encoded) error
}
