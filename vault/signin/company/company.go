// Package company keeps people's sign-ins with their company: what the identity
// provider said of the person of each session, whether it still says so, and
// whether it was fresh and strong enough for the tools that need that.
//
// It speaks to the provider through the package oidc and knows nothing of pages
// and logins. Everything it has to remember is in its store, sealed where it is
// secret, so that several vaults may share the work. All of it may be used from
// many goroutines.
package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

// Errors of stores.
var (
	// ErrNone says that a session has no company sign-in.
	ErrNone = errors.New("no company sign-in")
	// ErrMoved says that somebody else changed one meanwhile.
	ErrMoved = errors.New("the company sign-in was changed elsewhere")
)

// ErrSignedOut says that the provider ended a sign-in before there was a session.
var ErrSignedOut = errors.New("the company's sign-in was ended meanwhile")

const purpose = "signin" // of sealed values

// Row is the company sign-in of a session, as it is stored. It is good for
// nothing once its session has ended.
type Row struct {
	Session identity.SessionID
	Device  identity.DeviceID
	Person  identity.PersonID
	Tenant  identity.TenantID
	// Issuer, Subject and SID are what the provider calls the person and its
	// own session; SID may be "".
	Issuer, Subject, SID string
	Said                 Said
	Sealed               []byte // of kept
	Created              time.Time
	Due                  time.Time // when the provider is to be asked again
	StepUp               time.Time // when a fresh sign-in was last asked for; zero if never
	// Since is set while a [Demand] for the person stands that concerns this
	// sign-in: only one from after it is an answer. It is not stored with the
	// row.
	Since   time.Time
	Version int64 // grows with each change
}

// Said is what the provider said that decides something and is no secret.
type Said struct {
	Time  time.Time       `json:"time,omitzero"` // when the person showed who they are
	ACR   []string        `json:"acr,omitempty"`
	AMR   []string        `json:"amr,omitempty"`
	Roles []identity.Role `json:"roles,omitempty"`
	// Checked is when the provider last vouched for the person, and Tries
	// counts failures to ask it since.
	Checked time.Time `json:"checked,omitzero"`
	Tries   int       `json:"tries,omitempty"`
	// Demanded is when a fresh sign-in was asked for, whatever the tool: the
	// session is good for nothing else from then on.
	Demanded time.Time `json:"demanded,omitzero"`
}

// kept is what asking again needs.
type kept struct {
	Refresh     string   `json:"refresh,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	GroupsKnown bool     `json:"groups_known,omitempty"`
}

// Demand is that a person has to show anew who they are, whatever the tool. It
// outlives sessions: signing out does not answer it.
type Demand struct {
	Person identity.PersonID
	Device identity.DeviceID // where something unusual was done
	Asked  time.Time
	Since  time.Time // only a sign-in from after that is an answer
}

// Demands keeps demands.
type Demands interface {
	// SignInDemand stores a demand, which concerns the person's sign-ins on its
	// device and all that are from after it.
	SignInDemand(ctx context.Context, d Demand) error
	// SignInAnswer ends the demands of a person who has shown at a time who they
	// are.
	SignInAnswer(ctx context.Context, person identity.PersonID, at time.Time) error
}

// Store is what a [Keeper] needs. Its methods are atomic and durable when they
// return.
type Store interface {
	Rows
	Demands
	SignOuts
}

// Rows keeps rows. Those whose session has ended are found by none but
// SignInGet.
type Rows interface {
	SignInPut(ctx context.Context, r Row) error
	// SignInGet returns the row of a session, or [ErrNone].
	SignInGet(ctx context.Context, id identity.SessionID) (Row, error)
	// SignInSave stores r as version r.Version+1, or returns [ErrMoved].
	SignInSave(ctx context.Context, r Row) error
	// SignInsDue returns at most limit rows that are due at now, the longest due
	// first.
	SignInsDue(ctx context.Context, now time.Time, limit int) ([]Row, error)
	// SignInsOf returns the rows of a provider's session, or of all of a
	// person's where sid is "". A row without a sid belongs to any of its
	// person's.
	SignInsOf(ctx context.Context, issuer, subject, sid string) ([]Row, error)
	// SignInsTidy takes rows away whose session has ended before, and returns
	// sessions from before that have no row: nobody vouches for them.
	SignInsTidy(ctx context.Context, before time.Time) ([]session.Session, error)
}

// Provider is the identity provider. An *oidc.Provider is one.
type Provider interface {
	AuthorizeURL(ctx context.Context, r oidc.Request) (string, error)
	Redeem(ctx context.Context, a oidc.Answer) (identity.SignIn, error)
	Refresh(ctx context.Context, was identity.SignIn) (identity.SignIn, error)
	Logout(ctx context.Context, raw secret.String) (oidc.Logout, error)
}

// Sealer encrypts what is stored. A *seal.Box is one.
type Sealer interface {
	Seal(plain []byte, aad seal.AAD) ([]byte, error)
	Open(sealed []byte, aad seal.AAD) ([]byte, error)
}

// Sessions are what a company sign-in belongs to. A *session.Keeper is one.
type Sessions interface {
	Current(ctx context.Context, device identity.DeviceID) (session.Session, error)
	Revoke(ctx context.Context, id identity.SessionID) error
}

// Auditor stores audit records, durably when Record returns nil.
type Auditor interface {
	Record(ctx context.Context, entry audit.Entry) error
}

// Config is what a keeper needs. Everything is required.
type Config struct {
	Provider Provider
	Store    Store
	Box      Sealer
	Sessions Sessions
	Audit    Auditor
	// Seen reports whether a logout token with that id has done its work before;
	// Remember notes until a time that it has.
	Seen     func(ctx context.Context, id string) (bool, error)
	Remember func(ctx context.Context, id string, until time.Time) error
	// Expel takes all access to a tenant from a person whose groups do not
	// allow it any more.
	Expel  func(ctx context.Context, person identity.PersonID, tenant identity.TenantID) error
	People *policy.People
	// Policy gives the rules that are in force now.
	Policy  func() *policy.Policy
	Recheck time.Duration // how often the provider is asked about each session
	// Demands says that [Keeper.Demand] may be called, at any vault. Otherwise
	// calls that need no fresh sign-in are not looked at.
	Demands bool
	Log     *slog.Logger
}

// Keeper keeps company sign-ins.
type Keeper struct {
	cfg    Config
	warned warned
}

var _ consent.Company = (*Keeper)(nil)

// New returns a keeper. [Keeper.Run] asks the provider again.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg} }

// Tenants implements consent.Company.
func (k *Keeper) Tenants(who identity.SignIn) []identity.TenantID {
	return k.cfg.People.TenantsOf(who.Groups)
}

// Away implements consent.Company.
func (k *Keeper) Away(ctx context.Context, trip consent.Trip) (string, error) {
	ask := oidc.Request{State: trip.State, Nonce: trip.Nonce, Verifier: trip.Verifier}
	if trip.StepUp {
		rules := k.cfg.Policy().StepUp()
		ask.Fresh = &oidc.Fresh{MaxAge: rules.MaxAge, ACR: rules.ACR}
	}
	return k.cfg.Provider.AuthorizeURL(ctx, ask)
}

// Back implements consent.Company. Whoever had to step up has done so.
func (k *Keeper) Back(ctx context.Context, trip consent.Trip, brought consent.Brought) (identity.SignIn, error) {
	rules := k.cfg.Policy()
	answer := oidc.Answer{Code: brought.Code, Nonce: trip.Nonce, Verifier: trip.Verifier, Issuer: brought.Issuer, HasIssuer: brought.HasIssuer}
	if trip.StepUp {
		answer.MaxAge = rules.StepUp().MaxAge
	}
	who, err := k.cfg.Provider.Redeem(ctx, answer)
	if err == nil && trip.StepUp && !rules.Strong(who) {
		err = usererr.Wrap(fmt.Errorf("acr %q, amr %q", shown(who.ACR), shown(who.AMR)), usererr.Denied,
			"Your company's sign-in did not confirm a second factor, which this step needs", "Sign in with a second factor; if you did, ask the administrator to let the sign-in tell the vault (identity.step_up)")
	}
	return who, err
}

// shown are words of the provider for a log line or a record: few, short and
// plain.
func shown(words []string) []string {
	const most, longest = 8, 64
	few := make([]string, 0, most+1)
	for _, word := range words[:min(len(words), most)] {
		few = append(few, plaintext.Line(word, longest))
	}
	if len(words) > most {
		few = append(few, "…")
	}
	return few
}

// Keep stores what the company said of the person who is about to get the
// session that caller names. A demand for the person ends only if the sign-in
// answers it; otherwise it stands for the new session, too. [ErrSignedOut]
// if the company has ended the sign-in meanwhile; see [Keeper.Stands].
func (k *Keeper) Keep(ctx context.Context, caller identity.Caller, who identity.SignIn) error {
	if err := k.Stands(ctx, who); err != nil {
		return err
	}
	now := time.Now()
	r := Row{
		Session: caller.Session, Device: caller.Device, Person: caller.Person, Tenant: caller.Tenant,
		Issuer: who.Person.Issuer, Subject: who.Person.Subject, SID: who.SID, Created: now, Due: now.Add(k.cfg.Recheck),
		Said: Said{Time: who.Time, ACR: who.ACR, AMR: who.AMR, Checked: now, Roles: k.cfg.People.RolesOf(who.Groups)},
	}
	if err := k.seal(&r, who); err != nil {
		return err
	}
	if err := k.cfg.Store.SignInPut(ctx, r); err != nil || k.cfg.Policy().SteppedUp(who, now) != nil {
		return err
	}
	return k.cfg.Store.SignInAnswer(ctx, r.Person, who.Time)
}

// Roles are what the person of a session may do besides; none without a company
// sign-in.
func (k *Keeper) Roles(ctx context.Context, id identity.SessionID) ([]identity.Role, error) {
	r, err := k.cfg.Store.SignInGet(ctx, id)
	if errors.Is(err, ErrNone) {
		return nil, nil
	}
	return r.Said.Roles, err
}

func place(r *Row) seal.AAD {
	// Grant is the one member of the place that takes a unique id.
	return seal.AAD{Purpose: purpose, Tenant: string(r.Tenant), Person: string(r.Person), Grant: string(r.Session), Field: "kept", Version: 1}
}

func (k *Keeper) seal(r *Row, who identity.SignIn) error {
	plain, err := json.Marshal(kept{who.Refresh.Reveal(), who.Groups, who.GroupsKnown})
	if err != nil {
		return err
	}
	if r.Sealed, err = k.cfg.Box.Seal(plain, place(r)); err != nil {
		return fmt.Errorf("sealing a company sign-in: %w", err)
	}
	return nil
}

// open is what the provider said last.
func (k *Keeper) open(r *Row) (identity.SignIn, error) {
	var had kept
	plain, err := k.cfg.Box.Open(r.Sealed, place(r))
	if err == nil {
		err = json.Unmarshal(plain, &had)
	}
	if err != nil {
		return identity.SignIn{}, fmt.Errorf("opening a company sign-in: %w", err)
	}
	who := r.signIn()
	who.Refresh, who.Groups, who.GroupsKnown = secret.New(had.Refresh), had.Groups, had.GroupsKnown
	return who, nil
}

// signIn is what needs no key.
func (r *Row) signIn() identity.SignIn {
	return identity.SignIn{
		Person: identity.Person{ID: r.Person, Issuer: r.Issuer, Subject: r.Subject}, SID: r.SID,
		Time: r.Said.Time, ACR: r.Said.ACR, AMR: r.Said.AMR,
	}
}
