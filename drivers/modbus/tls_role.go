package modbus

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"unicode/utf8"
)

// roleOf returns the role that a certificate gives its owner on Modbus
// servers, "" where it has none (MODBUS/TCP Security v21, 8.3): an extension
// whose value is one UTF8String.
func roleOf(c *x509.Certificate) (string, error) {
	role := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 50316, 802, 1}
	for _, e := range c.Extensions {
		if e.Id.Equal(role) {
			return decodeRole(e.Value)
		}
	}
	return "", nil
}

var errRole = errors.New("the role in extension 1.3.6.1.4.1.50316.802.1 is malformed; have the certificate issued with one UTF8String there")

// decodeRole reads the value of a role extension.
func decodeRole(der []byte) (string, error) {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(der, &v)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w (%w)", errRole, err)
	case len(rest) > 0 || v.Class != asn1.ClassUniversal || v.Tag != asn1.TagUTF8String || v.IsCompound:
		return "", errRole
	case len(v.Bytes) == 0 || !utf8.Valid(v.Bytes):
		return "", errRole
	}
	return string(v.Bytes), nil
}
