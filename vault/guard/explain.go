package guard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// missing is what does not exist, what Confluence hides and what policy
// denies: all three look the same. err tells them apart in the audit record.
func missing(what string, err error) error {
	hint := "Check it, or look for it with confluence_search"
	if strings.HasPrefix(what, "The space") {
		hint = "confluence_list_spaces has the spaces that you may use"
	}
	return usererr.Wrap(err, usererr.NotFound, what+" was not found, or it is not available to you", hint)
}

// explain says in words for a person what became of a request about what.
// scope is what the request needed.
func explain(err error, what, scope string) error {
	if errors.Is(err, policy.ErrDenied) {
		return missing(what, err)
	}
	if _, ok := usererr.From(err); ok {
		return err
	}
	var e *confluence.Error
	if !errors.As(err, &e) {
		return err
	}
	say := func(code usererr.Code, message, hint string) error { return usererr.Wrap(err, code, message, hint) }
	switch e.Kind {
	case confluence.KindNotFound:
		return missing(what, err)
	case confluence.KindScope:
		return say(usererr.Scope, "The sign-in does not include the permission "+scope,
			"Ask the administrator to add it to the app and to the vault's settings, then sign in again with: coatcheck login")
	case confluence.KindToken:
		return say(usererr.Denied, "Confluence does not accept the sign-in, although it is fresh",
			"Open the site in a browser to see whether you still have access, then sign in again with: coatcheck login")
	case confluence.KindForbidden:
		return say(usererr.Denied, "Confluence says that you may not do this, or that you have no access to this site", "Ask the site's administrator for access")
	case confluence.KindRateLimited:
		return say(usererr.RateLimited, "Confluence asks for fewer calls", "Try again "+in(e.RetryAfter))
	case confluence.KindQuery:
		return say(usererr.BadInput, "Confluence cannot understand the query", "Check the CQL: field names, operators, and quotes around values")
	case confluence.KindTooLarge:
		return say(usererr.TooLarge, what+" is larger than Confluence or the vault takes (5 MB to write, 8 MB to read)", "Make it smaller or split it")
	case confluence.KindBadRequest, confluence.KindConflict, confluence.KindDuplicateTitle:
		return say(usererr.BadInput, "Confluence does not accept the request for "+lower(what), "Check title, ids and body")
	case confluence.KindGone:
		return say(usererr.Unavailable, "Confluence has removed a call that the vault needs", "Ask the administrator to update the vault")
	}
	return unreachable(err, e)
}

func unreachable(err error, e *confluence.Error) error {
	switch {
	case errors.Is(e.Err, context.DeadlineExceeded):
		return usererr.Wrap(err, usererr.Timeout, "Confluence did not answer in time", "Try again; ask for less if it happens again")
	case errors.Is(e.Err, context.Canceled):
		return usererr.Wrap(err, usererr.Timeout, "The call was cancelled", "")
	case e.Kind == confluence.KindUpstream:
		return usererr.Wrap(err, usererr.Unavailable, fmt.Sprintf("Confluence has a problem (status %d)", e.Status), "Try again in a minute; see status.atlassian.com")
	case e.Kind == confluence.KindProtocol:
		return usererr.Wrap(err, usererr.Unavailable, "Confluence sent an answer that the vault does not understand", "Try again in a minute; ask the administrator if it stays")
	}
	return usererr.Wrap(err, usererr.Unavailable, "The vault cannot reach Confluence", "Try again in a minute; ask the administrator if it stays")
}

// in says when to try again.
func in(d time.Duration) string {
	switch {
	case d <= 0:
		return "in a minute"
	case d <= 2*time.Minute:
		return fmt.Sprintf("in %d seconds", int(math.Ceil(d.Seconds())))
	}
	return fmt.Sprintf("in %d minutes", int(math.Ceil(d.Minutes())))
}

func queryError(err error) error {
	var q *policy.QueryError
	if errors.As(err, &q) {
		return usererr.Wrap(err, usererr.BadInput, "The CQL cannot be used: "+q.Problem, `Write it like: type = page AND title ~ "plan" ORDER BY lastmodified DESC`)
	}
	return missing("The search", err)
}

// clip makes a name that the caller gave fit for a sentence.
func clip(text string) string { return plaintext.Line(text, 80) }

func quote(text string) string { return `"` + clip(text) + `"` }

func lower(what string) string { return strings.ToLower(what[:1]) + what[1:] }
