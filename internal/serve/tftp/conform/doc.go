// Package conform is an independent conformance suite for TFTP servers: named checks, each with
// the clause of RFC 1350, 1123 section 4.2.3, 2347, 2348, 2349 or 7440 or the known fact about
// boot firmware that it comes from, driven over real sockets by a scripted client.
//
// It shares no code with the server or with wire/tftp: packets are built and read here by hand,
// so that a fault which both ends of our own codec agree on does not pass for conformance. It
// holds nothing but tests, and nothing imports it. Run it against any server with
//
//	go test -v ./internal/serve/tftp/conform -run TestConformance -target HOST:PORT -root DIR
//
// where DIR is an otherwise unused directory that the server serves; the suite fills it.
package conform
