// Package client is an OPC UA binary client for reading: secure channel,
// session and the services that read, browse and subscribe.
//
// It uses gopcua's types and cryptography, and does itself what meets a
// server's bytes: gopcua's own client decodes them on goroutines of its own,
// where one crafted array ends the whole program, and checks neither sequence
// numbers nor the security of what comes back. Here every size, depth and
// count is bounded before anything is allocated, sequence numbers, tokens,
// request handles and signatures are checked, and whatever breaks the protocol
// ends the connection with an error that says so. Requests that write, call or
// delete beyond the session's own subscriptions cannot be sent at all.
//
// Sources: OPC 10000-4 (services) and 10000-6 (mappings), 1.05.
//
// It is imported by drivers/opcua alone.
package client
