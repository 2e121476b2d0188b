// Package access knows who may come in: named people with roles and Argon2id
// password hashes, a password policy, and logins that are slowed down for a
// name and for an address after failures. What a role may do is the business
// of the packages that act (cases); sessions are the console's.
//
// Storage implements Store, which this package owns. Nothing here logs a name,
// an address or a password.
package access
