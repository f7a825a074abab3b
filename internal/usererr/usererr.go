// Package usererr holds the only errors whose text may reach a person or a
// model. Each says what happened and what to do about it. Every other error is
// for the operator's log; at the edge it becomes "internal error" with the id
// under which the log has the rest.
package usererr

import (
	"errors"
	"fmt"
)

// Code is a stable, machine-readable name of what went wrong. Clients and
// tests branch on it; people read the message.
type Code string

// The codes, one for each reaction that a caller may have.
const (
	Internal     Code = "internal"     // our fault; the log knows more
	BadInput     Code = "bad_input"    // the caller sent something unusable
	NotFound     Code = "not_found"    // it is not there, or not for this person
	Denied       Code = "denied"       // policy or permission says no
	Conflict     Code = "conflict"     // somebody else changed it first
	SignIn       Code = "sign_in"      // a sign-in is needed before this can go on
	SignInOpen   Code = "sign_in_open" // a sign-in waits for the person in a browser
	Refused      Code = "refused"      // the person said no
	Scope        Code = "scope"        // the grant lacks a permission
	RateLimited  Code = "rate_limited" // too much at once; later it works
	Unavailable  Code = "unavailable"  // something on the way is down or cut
	Timeout      Code = "timeout"      // nothing came back in time
	TooLarge     Code = "too_large"    // over a limit
	Unknown      Code = "unknown"      // a write whose outcome must be checked
	Settings     Code = "settings"     // the configuration is wrong
	Version      Code = "version"      // the two halves do not fit
	Unauthorized Code = "unauthorized" // who is calling could not be proved
	Revoked      Code = "revoked"      // access was taken away
)

// Error is an error whose Message and Hint may be shown. Err is the cause for
// the log and is never shown.
type Error struct {
	Code    Code
	Message string // what happened: a sentence without trailing period
	Hint    string // what to do: a sentence without trailing period; may be empty
	Err     error  // for the log only; may be nil
}

// New returns an error that says what happened and what to do.
func New(code Code, message, hint string) *Error {
	return &Error{Code: code, Message: message, Hint: hint}
}

// Wrap is [New] with the cause, which goes to the log and nowhere else.
func Wrap(err error, code Code, message, hint string) *Error {
	return &Error{Code: code, Message: message, Hint: hint, Err: err}
}

// Error implements error with everything, cause included: it is for logs.
// Use [Text] for people.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// From finds the user error in err's chain.
func From(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// CodeOf returns the code of err: [Internal] for any error that is not a user
// error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := From(err); ok {
		return e.Code
	}
	return Internal
}

// Text is what a person or a model may read of err. Errors that are not user
// errors become "internal error" with the reference under which the log has
// the rest; reference may be empty.
func Text(err error, reference string) string {
	if err == nil {
		return ""
	}
	e, ok := From(err)
	if !ok {
		if reference == "" {
			return "Internal error. Ask the administrator of the vault to look at its log."
		}
		return "Internal error (reference " + reference + "). Ask the administrator of the vault to look for this reference in its log."
	}
	if e.Hint == "" {
		return e.Message + "."
	}
	return e.Message + ". " + e.Hint + "."
}
