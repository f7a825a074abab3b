package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	busyTime   = time.Minute // longer than one finish can take
	spareTime  = time.Minute // a login that is being finished lives so much longer
	finishTime = 45 * time.Second
	undoTime   = 5 * time.Second
	pollEvery  = 100 * time.Millisecond
	// maxTries is how often a code is tried while Atlassian cannot be reached;
	// shims try one time more.
	maxTries = 3
)

// Claim is what a shim shows to finish a login.
type Claim struct {
	Device           identity.DeviceID
	Start            StartID
	Ticket, Verifier secret.String
}

// Finished is what became of a login.
type Finished struct {
	Login Login
	Link  secret.String // the last part of the page's address; may be empty
	// Fresh says that a session must be made and [Desk.Complete] called.
	// Otherwise, without an error, the login was done before, and this is the
	// same answer again.
	Fresh bool
	// SignIn is what the company said of the person; nil without its sign-in.
	SignIn *identity.SignIn
	// Ended says that this request ended the login, with the error.
	Ended bool
}

func errNotYours() *usererr.Error {
	return usererr.New(usererr.Unauthorized, "This sign-in did not begin on this computer", askAgain)
}

// Finish redeems the parked code for the one shim that began the login and
// whose browser came back, and stores the grant. An error with code
// Unavailable may be tried again; after every other one the login is over. The
// Finished of an error has the login where there is one.
func (d *Desk) Finish(ctx context.Context, claim Claim) (Finished, error) {
	// A shim that leaves must not keep what Atlassian gave from being stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	start, err := d.cfg.Starts.StartGet(ctx, claim.Start)
	if errors.Is(err, ErrNone) {
		return Finished{}, errNotYours()
	}
	if err != nil {
		return Finished{}, fmt.Errorf("looking for a start: %w", err)
	}
	f, err := d.admit(ctx, start, claim)
	if err != nil || !f.Fresh || f.Login.Phase == Granted {
		return f, err
	}
	result, err := d.redeem(ctx, f.Login, f.SignIn)
	if err != nil {
		return d.settle(ctx, f, err)
	}
	mine := false
	taken := f.Login
	f.Login, err = d.change(ctx, Find{ID: taken.ID}, func(l *Login) (bool, error) {
		if mine = l.FinishedBy(taken); mine {
			l.Phase, l.Code, l.Details.Result = Granted, nil, result
		}
		return mine, nil
	})
	if err == nil && !mine {
		return d.undo(ctx, f, taken, result)
	}
	return f, err
}

// undo takes back the grant of a login that ended while its code was redeemed,
// and says how it ended.
func (d *Desk) undo(ctx context.Context, f Finished, taken Login, result Result) (Finished, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime) // Finish may have used up its time
	defer cancel()
	f.Fresh = false
	why := f.Login.Outcome()
	if why == nil { // another request took over, or has already finished
		why = errLong(nil)
	}
	if len(taken.Code) == 0 {
		return f, why // the grant was there before
	}
	if err := d.cfg.Grants.Revoke(ctx, result.Grant); err != nil {
		return f, errors.Join(why, fmt.Errorf("revoking the grant of a login that ended: %w", err))
	}
	return f, why
}

func errLong(cause error) error {
	return usererr.Wrap(cause, usererr.Unavailable, "The sign-in takes longer than expected", "Try again in a moment")
}

// admit checks the claim and takes the login, waiting while another request
// has it.
func (d *Desk) admit(ctx context.Context, start Start, claim Claim) (Finished, error) {
	for {
		var f Finished
		var why error // besides what goes wrong in the store
		l, err := d.change(ctx, Find{ID: start.Login}, func(l *Login) (save bool, err error) {
			f, why = Finished{}, nil
			ticket := claim.Ticket
			if start.ByCode() {
				if ticket, why, save, err = d.typed(l, start, claim, &f); why != nil || err != nil {
					return save, err
				}
			}
			if !proof.Matches(ticket.Reveal(), l.Details.Ticket) || l.Details.Chosen != start.ID {
				return false, errNotYours()
			}
			s, err := d.open(*l)
			if err != nil {
				return false, err
			}
			f.Link, f.SignIn = secret.New(s.Link), s.signIn()
			if start.Device != claim.Device || l.Device != claim.Device || !proof.Verifies(claim.Verifier, start.Challenge) {
				f.Link, f.SignIn, why = secret.String{}, nil, errNotYours()
				f.Ended, err = d.burn(l)
				return f.Ended, err
			}
			why = d.take(l, &f)
			return f.Fresh || f.Ended, nil
		})
		if f.Login = l; err != nil {
			return Finished{Login: l, Link: f.Link}, err
		}
		if !errors.Is(why, errBusy) {
			return f, why
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return f, errLong(ctx.Err())
		}
	}
}

// burn is the edit that ends a login whose ticket is in wrong hands, up to the
// moment at which the right ones have brought everything that was asked for.
func (d *Desk) burn(l *Login) (ended bool, err error) {
	if l.Phase.Over() || l.Phase == Granted {
		return false, nil
	}
	return true, d.end(l, Failed, usererr.New(usererr.Denied, "Another computer tried to finish this sign-in, so it was stopped", askAgain))
}

// errBusy says that another request finishes the login.
var errBusy = errors.New("the login is being finished elsewhere")

// take is the edit that makes this request the one that finishes, or says why
// it is not.
func (d *Desk) take(l *Login, f *Finished) error {
	now := time.Now()
	switch l.Phase {
	case Done, Refused, Failed, Expired:
		return l.Outcome()
	case Open, AtCompany, Vouching, Choosing, Asking:
		return errNotYours() // there is no ticket before Parked
	case Finishing, Granted:
		if now.Before(l.Details.BusyUntil) {
			return errBusy
		}
	case Parked:
		if now.After(l.Details.TicketUntil) {
			why := usererr.New(usererr.Timeout, "The browser came back too late", askAgain)
			f.Ended = true
			return errors.Join(why, d.end(l, Failed, why))
		}
	}
	if l.Phase != Granted {
		l.Phase = Finishing
	}
	l.Details.BusyUntil = now.Add(busyTime)
	l.Outlive(l.Details.BusyUntil.Add(spareTime))
	f.Fresh = true
	return nil
}

// redeem turns the parked code into a stored grant.
func (d *Desk) redeem(ctx context.Context, l Login, company *identity.SignIn) (Result, error) {
	if company != nil && len(l.Code) == 0 {
		return d.known(ctx, l, company.Person)
	}
	app, err := d.app(l.Tenant)
	if err != nil {
		return Result{}, err
	}
	s, err := d.open(l)
	if err != nil {
		return Result{}, err
	}
	code, err := d.cfg.Box.Open(l.Code, place(l.ID, "code"))
	if err != nil {
		return Result{}, fmt.Errorf("opening a code: %w", err)
	}
	tokens, err := app.Redeem(ctx, secret.New(string(code)), secret.New(s.Verifier))
	if err != nil {
		return Result{}, err
	}
	who, sites, err := app.Account(ctx, tokens.Access)
	if err != nil {
		return Result{}, spent(err)
	}
	account := who.Subject
	if company != nil {
		who = company.Person
	}
	id, err := d.cfg.Grants.Put(ctx, grant.Grant{
		Person: who.ID, Tenant: l.Tenant, State: grant.Live, Account: account,
		Scopes: tokens.Scopes, Sites: sites, Issued: time.Now(), TokenExpires: tokens.Expires,
	}, tokens)
	if err != nil {
		return Result{}, spent(fmt.Errorf("storing a grant: %w", err))
	}
	return Result{Person: who.ID, Name: who.Name, Email: who.Email, Grant: id, Sites: sites}, nil
}

// known is the outcome of a login whose person has a grant.
func (d *Desk) known(ctx context.Context, l Login, who identity.Person) (Result, error) {
	g, err := d.cfg.Grants.Describe(ctx, who.ID, l.Tenant)
	if usererr.CodeOf(err) == usererr.SignIn {
		return Result{}, usererr.Wrap(err, usererr.Revoked, "The permission to use Confluence was taken away while you signed in", askAgain)
	}
	return Result{Person: who.ID, Name: who.Name, Email: who.Email, Grant: g.ID, Sites: g.Sites}, err
}

// spentError is a failure after the code was used up: another try cannot help.
type spentError struct{ error }

func (e spentError) Unwrap() error { return e.error }

func spent(err error) error { return spentError{err} }

// settle decides what a failure of redeem does to the login: another try, or
// its end. It returns the error to answer with.
func (d *Desk) settle(ctx context.Context, f Finished, cause error) (Finished, error) {
	f.Fresh = false
	taken := f.Login
	_, final := errors.AsType[spentError](cause)
	why, ok := usererr.From(cause)
	if !ok {
		why = usererr.Wrap(cause, usererr.Internal, "The vault could not complete the sign-in", tellAdministrator)
	}
	var err error
	if !final && why.Code == usererr.Unavailable && f.Login.Details.Tries+1 < maxTries {
		f.Login, err = d.change(ctx, Find{ID: f.Login.ID}, func(l *Login) (bool, error) { return l.PutBack(taken, time.Now().Add(ticketLife)), nil })
		return f, errors.Join(err, why)
	}
	if why.Code == usererr.Unavailable {
		// It is over, and shims repeat what is merely unavailable.
		why = usererr.Wrap(cause, usererr.Refused, why.Message, why.Hint)
	}
	f.Login, err = d.change(ctx, Find{ID: taken.ID}, func(l *Login) (bool, error) {
		if f.Ended = l.FinishedBy(taken); !f.Ended {
			return false, nil
		}
		return true, d.end(l, Failed, why)
	})
	f.Ended = f.Ended && err == nil
	if over := f.Login.Outcome(); err == nil && !f.Ended && over != nil {
		return f, over // it ended meanwhile, for another reason
	}
	return f, errors.Join(err, why)
}

// Complete notes that the person of a granted login has a session. An error
// says that the login did not get so far, or ended otherwise: the session must
// not stay.
func (d *Desk) Complete(ctx context.Context, id identity.LoginID, session identity.SessionID) (Login, error) {
	return d.change(ctx, Find{ID: id}, func(l *Login) (bool, error) {
		switch {
		case l.Phase == Done && l.Details.Result.Session == session:
			return false, nil
		case l.Phase != Granted:
			if why := l.Outcome(); why != nil {
				return false, why
			}
			return false, errNotYours()
		}
		l.Details.Result.Session = session
		return true, d.end(l, Done, nil)
	})
}

// Release gives a granted login back after its session could not be made, so
// that the shim may try again.
func (d *Desk) Release(ctx context.Context, id identity.LoginID) error {
	_, err := d.change(ctx, Find{ID: id}, func(l *Login) (bool, error) {
		save := l.Phase == Granted
		l.Details.BusyUntil = time.Time{}
		return save, nil
	})
	return err
}
