"""The wire between Gridwarden and a detector written in Python.

serve      the conversation with the host: handshake, mutual TLS, the service
window     windows as they come, reports as they go
detector_pb2   made from detector.proto by protoc; see the Makefile

A detector is an object with three methods:

describe() returns a detector_pb2.Description and is always the same;
configure(config), optional, takes a dict and returns a list of (field, message)
of what is wrong with it, empty where nothing is;
evaluate(window, report, cancelled) judges one window; it returns early once
cancelled() is true.
"""
