// Package conformance runs the conformance suite of MCP against our chain: a
// bridge that speaks HTTP to the suite starts the real shim for each client,
// which talks to the real gateway of a vault in this process; behind that stand
// the fixed tools, resources and prompts that the suite wants. What it shows is
// that the chain carries MCP whole, in both generations of the protocol.
//
// The suite tests servers over HTTP, which Coatcheck does not offer. What is
// about HTTP alone is listed in the test, with the reason.
package conformance
