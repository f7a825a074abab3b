package company

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// SignOut is the provider's order to end sessions, as it is remembered for the
// logins that it overtakes. Subject or SID is "" for any.
type SignOut struct {
	Issuer, Subject, SID string
	Issued               time.Time // by the provider's clock
}

// SignOuts keeps orders for as long as logins take that have begun before.
type SignOuts interface {
	SignOutPut(ctx context.Context, o SignOut) error
	// SignOutLast returns when the last order was issued that concerns sign-ins
	// of a person in a provider's session; zero if there is none.
	SignOutLast(ctx context.Context, issuer, subject, sid string) (time.Time, error)
}

// Logout ends the sessions that a logout token names, and those of logins that
// are under way. An error with the code Unavailable may be tried again with the
// same token, which counts as seen only when all have ended; after any other one
// the token is no good.
func (k *Keeper) Logout(ctx context.Context, raw secret.String) (ended int, err error) {
	order, err := k.cfg.Provider.Logout(ctx, raw)
	if err != nil {
		return 0, err
	}
	// Whoever sent it may not wait for the answer, and not send it again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	id := "logout:" + string(identity.NewPersonID(order.Issuer, order.ID))
	seen, err := k.cfg.Seen(ctx, id)
	switch {
	case err != nil:
		return 0, usererr.Wrap(err, usererr.Unavailable, "The vault cannot look up whether the token came before", "Send it again")
	case seen:
		return 0, errors.New("the logout token came before")
	}
	// Before looking for sessions: one that begins now finds the order, or is
	// found.
	err = k.cfg.Store.SignOutPut(ctx, SignOut{order.Issuer, order.Subject, order.SID, order.Issued})
	var rows []Row
	if err == nil {
		rows, err = k.cfg.Store.SignInsOf(ctx, order.Issuer, order.Subject, order.SID)
	}
	for _, r := range rows {
		one := k.end(ctx, r, "the company's sign-in ended it")
		if one == nil {
			ended++
		}
		err = errors.Join(err, one)
	}
	if err == nil {
		err = k.cfg.Remember(ctx, id, order.Until)
	}
	if err != nil {
		err = usererr.Wrap(err, usererr.Unavailable, "Not every session could be ended", "Send the token again")
	}
	return ended, err
}

// Stands returns [ErrSignedOut] if the provider has ended
// meanwhile what it said. To be asked once the session has begun: a logout that
// comes later finds it.
func (k *Keeper) Stands(ctx context.Context, who identity.SignIn) error {
	last, err := k.cfg.Store.SignOutLast(ctx, who.Person.Issuer, who.Person.Subject, who.SID)
	if err != nil {
		return err
	}
	said := who.Issued
	if who.Time.After(said) { // Entra ID dates its tokens back
		said = who.Time
	}
	if last.IsZero() || said.After(last) {
		return nil
	}
	return ErrSignedOut
}
