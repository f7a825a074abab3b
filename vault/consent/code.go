package consent

import (
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/starts"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// A process on a computer without a browser has no loopback that the person's
// browser could reach. The page shows a short code instead, which the person
// types where the process asks for it. Somebody who is lured to another's link
// can be lured to tell the code as well, so tenants must allow it.
const (
	codeLife = 5 * time.Minute
	maxWrong = 5 // codes, before the login ends
)

func errNoCodes() *usererr.Error {
	return usererr.New(usererr.Denied, "Signing in with a code is not allowed here",
		"Sign in where this computer's own browser can open, or ask the vault's administrator to allow codes")
}

// byCode reports whether a sign-in at tenant may end with a code; at any, if it
// is not chosen yet.
func (d *Desk) byCode(tenant identity.TenantID) bool {
	if d.cfg.ByCode == nil {
		return false
	}
	if tenant != "" {
		return d.cfg.ByCode(tenant)
	}
	return slices.ContainsFunc(d.cfg.Tenants(), d.cfg.ByCode)
}

// code is the edit that makes the code that the page shows.
func (d *Desk) code(l *Login, to *Returned) (ticket string, err error) {
	s, err := d.open(*l)
	if err != nil {
		return "", err
	}
	s.Code = proof.NewCode()
	to.Code = true
	return s.Code, d.seal(l, s)
}

// typed judges a code that a person typed, and counts the wrong ones. It
// returns a ticket to go on with, or why there is none; save says that the
// login was changed.
func (d *Desk) typed(l *Login, start starts.Start, claim Claim, f *Finished) (ticket secret.String, why error, save bool, err error) {
	ticket = secret.New(proof.TypedCode(claim.Ticket.Reveal()))
	switch {
	case start.Device != claim.Device || l.Device != claim.Device || !proof.Verifies(claim.Verifier, start.Challenge):
		return ticket, errNotYours(), false, nil
	case l.Phase.Over() || l.Phase == Parked && l.Details.Chosen != start.ID:
		return ticket, nil, false, nil // which says how it ended
	case len(l.Details.Ticket) == 0:
		return ticket, usererr.New(usererr.BadInput, "The page in the browser shows no code yet", "Go on there until it does, then type it"), false, nil
	case proof.Matches(ticket.Reveal(), l.Details.Ticket):
		return ticket, nil, false, nil
	}
	if l.Details.Wrong++; l.Details.Wrong < maxWrong {
		return ticket, usererr.New(usererr.BadInput, "That is not the code that the page shows", "Type it once more"), true, nil
	}
	end := usererr.New(usererr.Denied, "The code was wrong too often, so the sign-in was stopped", askAgain)
	f.Ended = true
	return ticket, end, true, d.end(l, Failed, end)
}

// shown is the code that the page shows while it can be typed.
func (s secrets) shown(l Login) secret.String {
	if s.Code == "" || l.Phase != Parked {
		return secret.String{}
	}
	return secret.New(proof.ShowCode(s.Code))
}
