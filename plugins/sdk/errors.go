package sdk

import "strings"

// FieldError is an error in one field of a detector's configuration.
type FieldError struct {
	Field   string // JSON path, such as "threshold" or "rigs.0.kw"; "" for the whole
	Message string // what is wrong; what would be right
}

// FieldErrors is returned by Configure when fields are wrong.
type FieldErrors []FieldError

// Error joins the field errors by "; ".
func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Message
		if f.Field != "" {
			parts[i] = f.Field + ": " + f.Message
		}
	}
	return strings.Join(parts, "; ")
}
