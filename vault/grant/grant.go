// Package grant keeps people's grants: one token family for each person and
// tenant's OAuth app, sealed, refreshed by one at a time over all replicas,
// revocable at once. It never speaks HTTP and never shows a token to anybody
// but the guard.
package grant

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Errors of stores and refreshers.
var (
	// ErrNone says that there is no such grant.
	ErrNone = errors.New("no such grant")
	// ErrBusy says that another process holds the claim on a grant.
	ErrBusy = errors.New("the grant is being refreshed elsewhere")
	// ErrFenced says that a claim was lost: somebody else has it now, or the
	// grant was revoked or superseded meanwhile.
	ErrFenced = errors.New("the claim on the grant was lost")
	// ErrRefused is wrapped by a refresher when the authorization server
	// refuses the refresh token for good (invalid_grant and its like). Every
	// other error is transient.
	ErrRefused = errors.New("the refresh token was refused")
)

// State is how usable a grant is.
type State string

// The states of a grant.
const (
	Live        State = "live"
	SignInAgain State = "sign_in_again" // the refresh token was refused; the sealed bytes stay
	Superseded  State = "superseded"    // a newer consent took its place; key and tokens dropped
	Revoked     State = "revoked"       // tombstone; key and tokens destroyed
)

// Site is one Confluence that a grant reaches.
type Site struct {
	Name    string `json:"name"`     // the name in the settings, else the host's first label
	CloudID string `json:"cloud_id"` // Atlassian's id
	URL     string `json:"url"`      // such as https://acme.atlassian.net
}

// Grant is what may be shown of a grant: everything but the tokens.
type Grant struct {
	ID           identity.GrantID
	Person       identity.PersonID
	Tenant       identity.TenantID
	State        State
	Account      string // Atlassian account id
	Scopes       []string
	Sites        []Site
	Issued       time.Time
	Refreshed    time.Time // last; zero before the first
	Used         time.Time // last, to the minute
	TokenExpires time.Time // of the access token
	Expires      time.Time // of the whole grant if nobody uses it
	NextRefresh  time.Time // zero unless the vault refreshes it by itself
	Ended        time.Time // when it was revoked or superseded; zero before
	LastError    string    // plain words for operators, never from upstream bytes
}

// Token is an access token on its way to Confluence.
type Token struct {
	Value   secret.String
	Grant   identity.GrantID
	Person  identity.PersonID
	Tenant  identity.TenantID
	Version int64
	Sites   []Site
	Expires time.Time
}

// Tokens is what a token endpoint answers.
type Tokens struct {
	Access, Refresh secret.String
	Expires         time.Time // of Access
	Scopes          []string  // as answered
}

// Refresher spends a refresh token: one POST, never repeated by itself, within
// the time of ctx. Its errors carry nothing of what the server sent.
type Refresher interface {
	Refresh(ctx context.Context, tenant identity.TenantID, refresh secret.String) (Tokens, error)
}

// Row is a grant as it is stored. Key is the wrapped data key; Access and
// Refresh are sealed under it. All three are nil once revoked or superseded.
type Row struct {
	Grant
	Version              int64 // grows with each stored pair
	Key, Access, Refresh []byte
	// Claim is who refreshes, until when; IntentAt is when the refresh token
	// may have been sent, zero when it was not.
	Claim      string
	ClaimUntil time.Time
	IntentAt   time.Time
}

// Store keeps grants. All methods are atomic and durable when they return.
type Store interface {
	// GrantPut inserts r and supersedes the live or sign-in-again grant of
	// the same person and tenant, whose id it returns if there was one. If it
	// was live the epoch moves.
	GrantPut(ctx context.Context, r Row) (superseded identity.GrantID, err error)
	// GrantFind returns the live or sign-in-again grant, or [ErrNone].
	GrantFind(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (Row, error)
	GrantGet(ctx context.Context, id identity.GrantID) (Row, error)
	GrantList(ctx context.Context) ([]Grant, error)
	// GrantRevoke leaves a tombstone without key and tokens and moves the
	// epoch. Revoking twice is no error; an unknown id is [ErrNone].
	GrantRevoke(ctx context.Context, id identity.GrantID, at time.Time) error
	GrantUsed(ctx context.Context, id identity.GrantID, at time.Time) error
}

// RefreshStore is the part of a store that refreshing needs.
type RefreshStore interface {
	// GrantClaim takes the claim on a live grant and notes the intent: now,
	// unless an earlier intent stands, which is kept. [ErrBusy] while another
	// claim lasts; [ErrFenced] when the version is old or the grant is not
	// live.
	GrantClaim(ctx context.Context, c Claim) (Row, error)
	// GrantRefreshed stores the rotated pair of r, whose Version is the one
	// that was claimed, as the next version and ends claim and intent;
	// [ErrFenced] if somebody else has the claim or the grant ended.
	GrantRefreshed(ctx context.Context, r Row, claim string) error
	// GrantFailed ends the claim. State SignInAgain keeps the sealed bytes;
	// Live leaves the intent standing for the next try. [ErrFenced] as above.
	GrantFailed(ctx context.Context, id identity.GrantID, claim string, state State, lastError string) error
}

// Claim is the exclusive right to refresh one version of a grant.
type Claim struct {
	Grant     identity.GrantID
	Version   int64
	By        string // unguessable; ends the claim
	At, Until time.Time
}
