package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Why a browser is not let through.
var (
	// ErrForm says that a form was not sent from the login's own page.
	ErrForm = errors.New("the form is not from this login's page")
	// ErrElsewhere says that the login is under way in another browser, or
	// that this one keeps no cookies.
	ErrElsewhere = errors.New("the login belongs to another browser")
	// ErrUsed says that a step was taken before.
	ErrUsed = errors.New("the login has gone past this step")
	// ErrState says that a callback belongs to no login.
	ErrState = errors.New("the callback belongs to no login")
)

// Words that a callback may be cut to.
const (
	maxCode  = 8 << 10
	maxState = 128
	denied   = "access_denied" // RFC 6749 §4.1.2.1
)

// Visit is a browser looking at a login's page.
type Visit struct {
	Login Login
	Form  secret.String // must come back with each form of the page
	Code  secret.String // to show to the browser whose login it is; empty if there is none
	// ByCode says that the last page will show a code: the process that asks is
	// on another computer than the browser.
	ByCode bool
	// Company says that the company's sign-in comes first, and settles what
	// there is to choose from.
	Company bool
	// Tenants are those to choose from, or the one that it is.
	Tenants []Tenant
	// Scopes are what is asked for, in any of Tenants.
	Scopes []string
}

// Tenant is a tenant as a page shows it.
type Tenant struct {
	ID    identity.TenantID
	Sites []string // without scheme
}

// Visit finds the login of a page; [ErrNone] if the link leads nowhere. It
// changes nothing that matters, so programs that follow links do no harm; look
// notes that a person's browser has shown the page.
func (d *Desk) Visit(ctx context.Context, link string, look bool) (Visit, error) {
	l, err := d.cfg.Logins.LoginFind(ctx, Find{Link: proof.Hash(link)})
	if err != nil {
		return Visit{}, err
	}
	if !l.Phase.Over() && !time.Now().Before(l.Expires) {
		l.Phase = Expired // the next sweep will say so too
		return Visit{Login: l}, nil
	}
	if l.Phase == Open && look && !l.Details.Viewed {
		if l, err = d.change(ctx, Find{ID: l.ID}, func(l *Login) (bool, error) {
			save := l.Phase == Open && !l.Details.Viewed
			l.Details.Viewed = true
			return save, nil
		}); err != nil {
			return Visit{}, err
		}
	}
	if l.Lost() {
		l.Phase = AtCompany // the person may click again
	}
	s, err := d.open(l)
	if err != nil {
		return Visit{}, err
	}
	v := Visit{Login: l, Code: s.shown(l), Form: secret.New(s.Form), Company: d.cfg.Company != nil && s.SignIn == nil}
	if !l.Phase.Over() {
		start, err := d.starts.Choose(ctx, l.ID, l.Details.Opener)
		if err != nil && !errors.Is(err, ErrNone) {
			return Visit{}, err
		}
		v.ByCode = err == nil && start.ByCode()
	}
	tenants := []identity.TenantID{l.Tenant}
	if l.Tenant == "" {
		tenants = d.cfg.Tenants()
		if s.SignIn != nil {
			tenants = d.tenantsOf(*s.SignIn)
		}
	}
	for _, id := range tenants {
		if app, ok := d.cfg.App(id); ok {
			v.Tenants = append(v.Tenants, Tenant{ID: id, Sites: app.SiteNames()})
			v.Scopes = append(v.Scopes, app.Scopes()...)
		}
	}
	return v, nil
}

// Click is what a browser sends with a form of the login's page.
type Click struct {
	Form   string
	Cookie string            // of this browser, "" if it has none
	Tenant identity.TenantID // that was chosen; "" without a choice
	Anew   bool              // ask Atlassian although the person's grant lives
}

// Onward is the way on from the login's page.
type Onward struct {
	// Returned has the login, and where to go. With an error of the company's
	// sign-in it has the login nevertheless, and the browser may click again.
	Returned
	// Company says that URL is the company's sign-in.
	Company bool
	Cookie  secret.String // for this browser
	// First says that nobody had clicked before.
	First bool
}

// Continue takes the person's click: this browser, and no other, goes on. The
// same browser may click again.
func (d *Desk) Continue(ctx context.Context, link string, click Click) (Onward, error) {
	var on Onward
	var s secrets
	l, err := d.change(ctx, Find{Link: proof.Hash(link)}, func(l *Login) (bool, error) {
		var err error
		on = Onward{First: l.Phase == Open}
		if s, err = d.clicked(*l, click.Form, click.Cookie); err != nil {
			return false, err
		}
		if l.Phase == Asking || l.Phase == AtCompany {
			return false, nil
		}
		if on.First {
			s.Cookie = proof.New()
			l.Details.Cookie, l.Details.Anew = proof.Hash(s.Cookie), click.Anew
		}
		return true, d.goOn(ctx, l, &s, click.Tenant, &on.Returned)
	})
	if err != nil {
		return Onward{}, err
	}
	on.Login, on.Cookie, on.Link = l, secret.New(s.Cookie), secret.New(link)
	if on.Company = l.Phase == AtCompany; on.Company {
		on.URL, err = d.cfg.Company.Away(ctx, trip(l, s))
	} else if l.Phase == Asking && on.URL == "" { // once more
		var app *atlassian.App
		if app, err = d.app(l.Tenant); err == nil {
			on.URL = app.AuthorizeURL(secret.New(s.State), secret.New(s.Verifier))
		}
	}
	return on, err
}

// goOn is the edit that takes the login a step further.
func (d *Desk) goOn(ctx context.Context, l *Login, s *secrets, tenant identity.TenantID, to *Returned) error {
	if d.cfg.Company != nil && s.SignIn == nil {
		return d.toCompany(l, s)
	}
	all := d.cfg.Tenants()
	if s.SignIn != nil {
		all = d.tenantsOf(*s.SignIn)
	}
	if l.Tenant == "" {
		l.Tenant = tenant
	}
	if !slices.Contains(all, l.Tenant) {
		return usererr.New(usererr.BadInput, "Choose where to sign in", "Go back and choose one of those shown")
	}
	return d.toAtlassian(ctx, l, *s, to)
}

// clicked checks a form of the login's page.
func (d *Desk) clicked(l Login, form, cookie string) (secrets, error) {
	switch {
	case l.Phase == Open, l.Phase == AtCompany, l.Phase == Choosing, l.Phase == Asking:
	case l.Lost():
	default:
		return secrets{}, ErrUsed
	}
	if !time.Now().Before(l.Expires) {
		return secrets{}, ErrUsed
	}
	if l.Phase != Open && !l.Mine(cookie) {
		return secrets{}, ErrElsewhere
	}
	s, err := d.open(l)
	if err == nil && !proof.Matches(form, proof.Hash(s.Form)) {
		err = ErrForm
	}
	return s, err
}

func (d *Desk) app(tenant identity.TenantID) (*atlassian.App, error) {
	if app, ok := d.cfg.App(tenant); ok {
		return app, nil
	}
	return nil, usererr.New(usererr.Settings, "This vault has no OAuth app for the tenant any more", tellAdministrator)
}

// Decline takes the person's no on the login's own page.
func (d *Desk) Decline(ctx context.Context, link, form, cookie string) (Login, error) {
	return d.change(ctx, Find{Link: proof.Hash(link)}, func(l *Login) (bool, error) {
		if _, err := d.clicked(*l, form, cookie); err != nil {
			return false, err
		}
		return true, d.end(l, Refused, nil)
	})
}

// Callback is what the authorization server sent a browser back with.
type Callback struct {
	Tenant                     identity.TenantID // of the callback's path
	State, Code, Error, Issuer string
	HasIssuer                  bool
	// Cookie finds the cookie of a login.
	Cookie func(Login) string
}

// Returned says where a browser goes from a callback.
type Returned struct {
	Login Login
	// Loopback is the way to the shim, with the ticket. Without one the login
	// has ended and its page says how.
	Loopback string
	// Code says that the login's page shows a code now.
	Code bool
	// URL is the way on to Atlassian, from the company's sign-in.
	URL  string
	Link secret.String // the last part of the page's address
	// Cause is why the company's sign-in failed, for the records.
	Cause error
}

// Return takes a callback. State, cookie, tenant and issuer are checked before
// anything else that it says. The errors are [ErrState], [ErrElsewhere] and
// [ErrUsed], which change nothing; with the last two comes the login.
func (d *Desk) Return(ctx context.Context, back Callback) (Returned, error) {
	if back.State == "" || len(back.State) > maxState {
		return Returned{}, ErrState
	}
	by := Find{State: proof.Hash(back.State)}
	var to Returned
	l, err := d.change(ctx, by, func(l *Login) (bool, error) {
		to = Returned{}
		if err := back.genuine(*l); err != nil {
			return false, err
		}
		s, err := d.open(*l)
		if err != nil {
			return false, err
		}
		to.Link = secret.New(s.Link)
		return true, d.arrive(ctx, l, back, &to)
	})
	if errors.Is(err, ErrNone) {
		err = ErrState
	}
	to.Login = l
	return to, err
}

// genuine checks whether a callback belongs to this login in this browser now.
func (back Callback) genuine(l Login) error {
	switch {
	case back.Tenant != l.Tenant:
		return ErrState
	case !l.Mine(back.Cookie(l)):
		return ErrElsewhere
	case l.Phase != Asking:
		return ErrUsed
	}
	return nil
}

// arrive is the edit that takes a genuine callback.
func (d *Desk) arrive(ctx context.Context, l *Login, back Callback, to *Returned) error {
	app, err := d.app(l.Tenant)
	if err != nil {
		return err
	}
	switch {
	case !time.Now().Before(l.Expires):
		return d.end(l, Failed, usererr.New(usererr.Timeout, "The sign-in was not completed in time", askAgain))
	case back.HasIssuer && back.Issuer != app.Issuer():
		return d.end(l, Failed, usererr.New(usererr.Denied, "The answer did not come from Atlassian, so the sign-in was stopped", tellAdministrator))
	case back.Error == denied:
		return d.end(l, Refused, nil)
	case back.Error != "":
		return d.end(l, Failed, usererr.New(usererr.Unavailable, "Atlassian could not complete the sign-in", askAgain))
	case back.Code == "" || len(back.Code) > maxCode:
		return d.end(l, Failed, usererr.New(usererr.Unavailable, "Atlassian sent the browser back without an answer", askAgain))
	}
	return d.park(ctx, l, back.Code, to)
}

// park keeps the code, sealed, if there is one, and makes the ticket that the browser takes to
// the loopback of a living shim.
func (d *Desk) park(ctx context.Context, l *Login, code string, to *Returned) error {
	start, err := d.starts.Choose(ctx, l.ID, l.Details.Opener)
	if err != nil {
		return err
	}
	if start.ByCode() && !d.byCode(l.Tenant) {
		return d.end(l, Failed, errNoCodes())
	}
	l.Code = nil
	if code != "" {
		if l.Code, err = d.cfg.Box.Seal([]byte(code), place(l.ID, "code")); err != nil {
			return fmt.Errorf("sealing a code: %w", err)
		}
	}
	ticket, life := proof.New(), ticketLife
	if start.ByCode() {
		life = codeLife
		if ticket, err = d.code(l, to); err != nil {
			return err
		}
	} else {
		to.Loopback = start.WithTicket(ticket)
	}
	l.Phase = Parked
	l.Details.Chosen, l.Details.Ticket = start.ID, proof.Hash(ticket)
	l.Details.TicketUntil = time.Now().Add(life)
	l.Outlive(l.Details.TicketUntil)
	return nil
}
