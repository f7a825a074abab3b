package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Company is the company's own sign-in, which comes before Atlassian. Its
// errors are user errors.
type Company interface {
	// Away returns where a browser goes to sign in.
	Away(ctx context.Context, trip Trip) (string, error)
	// Back tells who signed in on a trip.
	Back(ctx context.Context, trip Trip, brought Brought) (identity.SignIn, error)
	// Tenants are those that a person may use, in order.
	Tenants(who identity.SignIn) []identity.TenantID
}

// Trip is one way of a browser to the company's sign-in and back.
type Trip struct {
	State, Nonce, Verifier secret.String
	// StepUp wants the person to show anew who they are, and well.
	StepUp bool
}

// Brought is what a browser came back with.
type Brought struct {
	Code      secret.String
	Issuer    string // iss of the callback (RFC 9207), if HasIssuer
	HasIssuer bool
}

// vouchTime is how long the company's sign-in may take to answer the vault.
const vouchTime = 17 * time.Second

func trip(l Login, s secrets) Trip {
	return Trip{State: secret.New(s.State), Nonce: secret.New(s.Nonce), Verifier: secret.New(s.Verifier), StepUp: l.Details.StepUp != ""}
}

// signIn is who signed in with the company; nil before, and without it.
func (s secrets) signIn() *identity.SignIn {
	if s.SignIn == nil {
		return nil
	}
	who := *s.SignIn
	who.Refresh = secret.New(s.Refresh) // which does not survive JSON by itself
	return &who
}

// toCompany is the edit that sends the browser to the company's sign-in.
func (d *Desk) toCompany(l *Login, s *secrets) error {
	s.State, s.Nonce, s.Verifier = proof.New(), proof.New(), proof.New()
	l.Phase, l.State = AtCompany, proof.Hash(s.State)
	return d.seal(l, *s)
}

// ReturnCompany takes the callback of the company's sign-in, as [Desk.Return]
// that of Atlassian. State, cookie and phase are checked before anything else.
// The code is redeemed at once, by one request alone: who it is decides where
// the browser goes.
func (d *Desk) ReturnCompany(ctx context.Context, back Callback) (Returned, error) {
	if d.cfg.Company == nil || back.State == "" || len(back.State) > maxState {
		return Returned{}, ErrState
	}
	var to Returned
	var s secrets
	taken, err := d.change(ctx, Find{State: proof.Hash(back.State)}, func(l *Login) (bool, error) {
		var err error
		switch {
		case !l.Mine(back.Cookie(*l)):
			return false, ErrElsewhere
		case l.Phase != AtCompany:
			return false, ErrUsed
		}
		if s, err = d.open(*l); err != nil {
			return false, err
		}
		to.Link = secret.New(s.Link)
		return true, d.fromCompany(l, back)
	})
	if errors.Is(err, ErrNone) {
		err = ErrState
	}
	to.Login = taken
	if err != nil || taken.Phase != Vouching {
		return to, err
	}
	// A browser that leaves must not spend the code for nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), vouchTime)
	defer cancel()
	who, why := d.cfg.Company.Back(ctx, trip(taken, s), Brought{Code: secret.New(back.Code), Issuer: back.Issuer, HasIssuer: back.HasIssuer})
	to.Login, err = d.change(ctx, Find{ID: taken.ID}, func(l *Login) (bool, error) {
		to.Loopback, to.URL, to.Code = "", "", false
		if l.Phase != Vouching || !l.Details.BusyUntil.Equal(taken.Details.BusyUntil) {
			return false, ErrUsed
		}
		l.Details.BusyUntil = time.Time{}
		if why == nil {
			why = d.vouched(ctx, l, who, &to)
		}
		if why == nil {
			return true, nil
		}
		to.Cause = why
		said, ok := usererr.From(why)
		if !ok {
			said = usererr.New(usererr.Internal, "The vault could not complete the sign-in", tellAdministrator)
		}
		return true, d.end(l, Failed, said)
	})
	return to, err
}

// fromCompany is the edit that takes a genuine callback.
func (d *Desk) fromCompany(l *Login, back Callback) error {
	switch {
	case !time.Now().Before(l.Expires):
		return d.end(l, Failed, usererr.New(usererr.Timeout, "The sign-in was not completed in time", askAgain))
	case back.Error == denied:
		return d.end(l, Refused, nil)
	case back.Error != "", back.Code == "", len(back.Code) > maxCode:
		return d.end(l, Failed, usererr.New(usererr.Unavailable, "Your company's sign-in did not complete", askAgain))
	}
	l.Phase, l.Details.BusyUntil = Vouching, time.Now().Add(vouchTime+pollEvery)
	l.Outlive(l.Details.BusyUntil)
	return nil
}

// vouched is the edit that takes who signed in: it settles the tenant, or lets
// the person choose.
func (d *Desk) vouched(ctx context.Context, l *Login, who identity.SignIn, to *Returned) error {
	if l.Details.StepUp != "" && who.Person.ID != l.Details.StepUp {
		return usererr.New(usererr.Denied, "Somebody else signed in than who works on this computer, so nothing was done", "Sign in as the same person, or run “coatcheck logout” first")
	}
	s, err := d.open(*l)
	if err != nil {
		return err
	}
	s.SignIn, s.Refresh, l.Details.Vouched = &who, who.Refresh.Reveal(), true
	l.Details.Result.Person, l.Details.Result.Name, l.Details.Result.Email = who.Person.ID, who.Person.Name, who.Person.Email
	mine := d.tenantsOf(who)
	switch {
	case len(mine) == 0:
		return usererr.New(usererr.Denied, "None of the groups that you are in at your company may use this", "Ask the administrator of the vault to be let in")
	case l.Tenant != "" && !slices.Contains(mine, l.Tenant):
		return usererr.New(usererr.Denied, "The groups that you are in at your company may not use "+string(l.Tenant), "Ask the administrator of the vault to be let in")
	case l.Tenant == "" && len(mine) > 1:
		l.Phase, l.State = Choosing, nil
		return d.seal(l, s)
	case l.Tenant == "":
		l.Tenant = mine[0]
	}
	return d.toAtlassian(ctx, l, s, to)
}

// tenantsOf are the tenants there are that a person may use.
func (d *Desk) tenantsOf(who identity.SignIn) []identity.TenantID {
	all := d.cfg.Tenants()
	return slices.DeleteFunc(d.cfg.Company.Tenants(who), func(t identity.TenantID) bool { return !slices.Contains(all, t) })
}

// toAtlassian is the edit that sends the browser on for consent; or straight
// home, if the company said who it is and the person's grant lives.
func (d *Desk) toAtlassian(ctx context.Context, l *Login, s secrets, to *Returned) error {
	app, err := d.app(l.Tenant)
	if err != nil {
		return err
	}
	switch start, err := d.starts.Choose(ctx, l.ID, l.Details.Opener); {
	case err != nil && !errors.Is(err, ErrNone):
		return err
	case err == nil && start.ByCode() && !d.byCode(l.Tenant):
		return d.end(l, Failed, errNoCodes())
	}
	if s.SignIn != nil && !l.Details.Anew {
		g, err := d.cfg.Grants.Describe(ctx, s.SignIn.Person.ID, l.Tenant)
		switch code := usererr.CodeOf(err); {
		case err == nil && app.Covers(g.Scopes):
			if err := d.seal(l, s); err != nil {
				return err
			}
			return d.park(ctx, l, "", to)
		case err != nil && code != usererr.SignIn:
			return fmt.Errorf("looking for a grant: %w", err)
		}
	}
	s.State, s.Verifier, s.Nonce = proof.New(), proof.New(), ""
	l.Phase, l.State = Asking, proof.Hash(s.State)
	to.URL = app.AuthorizeURL(secret.New(s.State), secret.New(s.Verifier))
	return d.seal(l, s)
}
