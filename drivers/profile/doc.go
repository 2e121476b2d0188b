// Package profile holds device profiles: which registers or nodes a device
// model has, how they are encoded, and how to read them in few block reads.
//
// A profile is a YAML file that an engineer writes from a manual; Parse is
// strict and answers every mistake with file:line:col, what is wrong and what
// would be right. No protocol is spoken here: drivers ask for the read plan
// and hand back raw bytes to be decoded. Anyone may import this package; it
// imports plugins/sdk/meter only.
package profile
