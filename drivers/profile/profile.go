package profile

// Profile is the map of one device model.
type Profile struct {
	Name string
}
