// Package guard is the one door to Confluence. Every call of a tool goes
// through [Do], which decides whether the person may, notes a write in the
// call journal, fetches a token, acts, drops what policy forbids, stores the
// audit record and only then answers. Nothing else in the vault reaches
// grants and Confluence, so no tool can go round it.
//
// It knows policy, tokens and HTTP, and nothing of MCP. Its errors are all
// user errors; what policy denies looks like what does not exist. A [Door]
// may be used from many goroutines.
package guard

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/flight"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/remember"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// Limits of one call.
const (
	CallTimeout  = 40 * time.Second // all of it
	auditTimeout = 5 * time.Second  // until storing the record must have begun, also when the caller has gone
	leastTime    = 10 * time.Second // what a write gets even when its caller is about to give up
)

// Grants gives tokens. Errors that ask for a new sign-in carry the user error
// code SignIn.
type Grants interface {
	Token(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Token, error)
	// Rejected exchanges a token that Confluence called expired.
	Rejected(ctx context.Context, token grant.Token) (grant.Token, error)
	Describe(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Grant, error)
}

// Auditor stores audit records. A record is durable when Record returns nil.
type Auditor interface {
	Record(ctx context.Context, entry audit.Entry) error
}

// Sealer encrypts what leaves the process. A *seal.Box is one.
type Sealer interface {
	Seal(plain []byte, aad seal.AAD) ([]byte, error)
	Open(sealed []byte, aad seal.AAD) ([]byte, error)
}

// Config is what a door needs. Everything is required unless stated.
type Config struct {
	// Policy gives the rules that are in force now; each call asks once.
	Policy  func() *policy.Policy
	Grants  Grants
	Audit   Auditor
	Journal journal.Journal
	// JournalBox seals results in the journal, CursorBox cursors that models
	// hand back (purposes "journal" and "cursor").
	JournalBox, CursorBox Sealer
	HTTP                  *http.Client
	// Bulk is HTTP for what is large, which may be answered late. Default: HTTP.
	Bulk *http.Client
	// APIBase is the tenant's API origin, such as https://api.atlassian.com.
	APIBase func(identity.TenantID) string
	// Live returns nil while the caller's session may still be answered, a
	// user error (Revoked, SignIn) when it may not, and any other error when
	// that cannot be known, which refuses too.
	Live func(context.Context, identity.Caller) error
	// StepUp returns nil unless a call of a tool needs a fresh sign-in first; its
	// error is a user error that wraps policy.ErrStepUp, with the code SignIn
	// where a sign-in would do. Optional: without it no tool needs one.
	StepUp func(ctx context.Context, caller identity.Caller, tool string) error
	// Who describes the caller's sign-in for coatcheck_status. Optional.
	Who   func(context.Context, identity.Caller) (Who, error)
	Agent string // User-Agent towards Confluence; optional
	Log   *slog.Logger
}

// Door is the one door.
type Door struct {
	cfg     Config
	spaces  remember.Cache[place, confluence.Space]
	me      remember.Cache[place, Account]
	facts   remember.Cache[place, string]
	flights flight.Group[journal.Key, landed]

	mu      sync.Mutex
	quotas  map[identity.TenantID]*confluence.Quota // guarded by mu; as many as tenants
	cleaned time.Time                               // guarded by mu; last cleaning of the journal
}

// place is where something is known: what one person sees of a site says
// nothing about another.
type place struct {
	tenant identity.TenantID
	person identity.PersonID
	site   string // cloud id
	what   string
}

// New returns a door.
func New(cfg Config) *Door {
	return &Door{cfg: cfg, quotas: map[identity.TenantID]*confluence.Quota{}}
}

// quota is shared by all calls through one OAuth app, hence per tenant.
func (d *Door) quota(tenant identity.TenantID) *confluence.Quota {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.quotas[tenant] == nil {
		d.quotas[tenant] = &confluence.Quota{}
	}
	return d.quotas[tenant]
}
