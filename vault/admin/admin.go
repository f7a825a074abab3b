// Package admin is what administrators and auditors do: they look at people,
// devices, sessions, grants and audit records, and take access away. Each look
// and each act is on record, with who it was, before it is answered. Nothing
// here ever holds a token or a key.
//
// It knows neither HTTP, which is the business of package api below, nor
// command lines; both do everything through the one [Desk]. Errors are user
// errors where there is something to do.
package admin

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Self is the role of a person who acts on his or her own access, and on no
// other. An administrator may do everything here; an auditor may look at
// everything, verify the audit records, and change nothing.
const Self identity.Role = "self"

// Actor is who acts. All but Address is required.
type Actor struct {
	// By names the actor in records: "key:NAME" for a key of the settings,
	// "os:USER" for a user of the operating system, "person" for [Self].
	By   string
	Role identity.Role
	// Way says in words how the actor came, such as "from the command line".
	Way     string
	Address string // network address, where there is one
}

// Store is what is kept about people.
type Store interface {
	Sessions(ctx context.Context, find SessionFind) ([]session.Session, error)
	Grants(ctx context.Context, find GrantFind) ([]grant.Grant, error)
	// People returns at most limit people after an id, in the order of ids,
	// with all that is kept of them.
	People(ctx context.Context, after identity.PersonID, limit int) ([]Known, error)
	// Affected returns what Revoke would take away.
	Affected(ctx context.Context, scope Scope) (Revoked, error)
	// Revoke ends sessions and destroys the keys and tokens of grants, in one
	// step, and makes every replica look.
	Revoke(ctx context.Context, scope Scope, at time.Time) (Revoked, error)
	// RecordsBefore returns at most limit records of a chain whose numbers are
	// less than before, the last first.
	RecordsBefore(ctx context.Context, tenant identity.TenantID, before int64, limit int) ([]audit.Record, error)
}

// Upstream ends grants at Atlassian. Called while their tokens are still
// there, it opens them and returns what sends them, within the time of its
// context, once they are destroyed here. That returns nil for each grant that
// ended there, and an error in plain words for each other.
type Upstream func(ctx context.Context, grants []grant.Grant) (end func(context.Context) map[identity.GrantID]error)

// Config is what a desk needs.
type Config struct {
	Store Store
	Sink  audit.Sink // for reading
	Audit *audit.Log // for writing
	// Upstream may be nil: then nothing is attempted at Atlassian.
	Upstream Upstream
	// Verify checks all audit records and returns how many there are. Optional;
	// [Desk.StartVerification] needs it.
	Verify func(context.Context) (records int64, err error)
	// Signed returns the last checkpoint of each chain and the key that
	// verifies them. Optional.
	Signed func() (key string, ends map[identity.TenantID]audit.Head)
	// Alias returns what stands for a person in the records of a chain where
	// people are named by hash, "" if nobody ever was; Aliases says that they
	// are now. Optional.
	Alias   func(context.Context, identity.TenantID, identity.PersonID) (identity.PersonID, error)
	Aliases bool
}

// Desk is where administration happens. Its methods may be called from many
// goroutines.
type Desk struct {
	cfg  Config
	jobs chan job // verifications for Run
}

// New returns a desk.
func New(cfg Config) *Desk { return &Desk{cfg: cfg, jobs: make(chan job, 1)} }

// look puts on record that who saw something, and returns an error if that
// cannot be stored: then nothing may be shown.
func (d *Desk) look(ctx context.Context, who Actor, e audit.Entry) error {
	e.Event, e.Outcome = "admin.look", "ok"
	return d.record(ctx, who, e)
}

// missed puts on record that who looked for something that is not there, which
// missing says.
func (d *Desk) missed(ctx context.Context, who Actor, e audit.Entry, missing error) error {
	e.Event, e.Outcome, e.Code = "admin.look", "error", string(usererr.CodeOf(missing))
	if err := d.record(ctx, who, e); err != nil {
		return err
	}
	return missing
}

func (d *Desk) record(ctx context.Context, who Actor, e audit.Entry) error {
	e.Time, e.By, e.Address = time.Now(), who.By, who.Address
	if e.Outcome == "" {
		e.Outcome = "ok"
	}
	detail := "by an administrator, " + who.Way
	switch who.Role {
	case identity.Auditor:
		detail = "by an auditor, " + who.Way
	case Self:
		detail = "by the person, " + who.Way
	}
	if e.Detail != "" {
		detail += ": " + e.Detail
	}
	e.Detail = detail
	if err := d.cfg.Audit.Record(ctx, e); err != nil {
		return usererr.Wrap(err, usererr.Unavailable, "The audit record cannot be stored, so nothing is shown or changed", "Look at the store and try again")
	}
	return nil
}

// Attempt puts on record that somebody was refused, and why.
func (d *Desk) Attempt(ctx context.Context, who Actor, why, what string) error {
	return d.cfg.Audit.Record(ctx, audit.Entry{
		Time: time.Now(), Event: "admin.denied", Outcome: "denied", By: who.By, Address: who.Address, Detail: why, Objects: []string{what},
	})
}

// mayChange lets only administrators, and people on their own behalf, go on.
func (d *Desk) mayChange(ctx context.Context, who Actor, what string) error {
	if who.Role == identity.Administrator || who.Role == Self {
		return nil
	}
	denied := usererr.New(usererr.Denied, "An auditor may look at everything and change nothing", "Use a key with the role administrator")
	return errors.Join(denied, d.Attempt(ctx, who, "the role "+string(who.Role)+" changes nothing", what))
}

func none(what, id string) error {
	return usererr.New(usererr.NotFound, "There is no "+what+" "+id, "List them with: coatcheck-vault "+plural(what)+" list")
}

func plural(what string) string {
	if what == "person" {
		return "people"
	}
	return what + "s"
}
