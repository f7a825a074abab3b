// Package markup turns Confluence's storage format into Markdown and back.
//
// It is pure: no I/O, no clock, no randomness, no shared state; every function may be called concurrently. It knows nothing of
// people, policy or HTTP. Foreign bytes never make it panic and never cost it more than linear time; what it writes is
// always well-formed and never holds a script, or a macro that the Markdown did not ask for.
package markup
