// Package consent leads logins: the browser dance in which a person lets the
// vault use Confluence for them, by OAuth 2.0's authorization-code flow with
// PKCE (RFC 6749, RFC 7636), hardened against the phished link.
//
// A [Desk] takes a login from link to grant: the code that comes back is
// parked, sealed, and redeemed only when the machine that asked has shown, with
// its device key, a ticket and a verifier, that its own browser came back
// (internal/design/0002). What is Atlassian's own is in the package atlassian.
//
// It writes no HTML, knows no sessions and writes no log. Everything it has to
// remember is in its stores, sealed where it is secret, so that a vault may be
// restarted between any two steps and several may share the work. All of it
// may be used from many goroutines.
package consent
