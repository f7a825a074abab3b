// Package vault assembles the server: store, keys, grants, sign-in, guard,
// tools and gateway, and the order in which they start and stop. There is no
// logic here, only wiring; each part is described in its own package.
//
// # Words
//
// One concept has one word, in code, SQL, logs and documents. A person is a
// human, known by issuer and subject of the sign-in. A tenant is a company or
// division with its sites and rules. A site is one Confluence. A device is one
// person's shim on one machine, known by its public key. A session is a device
// that a person signed in on. A grant is what a person allowed one tenant's
// OAuth app: one token family. A login is one run of the browser dance. A
// stream is one MCP conversation; a call is one request on it that asks for
// something. A ticket is the one-time code that the browser brings back to the
// shim.
//
// # The life of a call
//
// gateway (who is it) -> tools (what is asked) -> guard (may they; a token
// from grant; confluence; what must be hidden; audit) -> markup -> back.
package vault
