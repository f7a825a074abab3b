package grant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

const (
	// tokenKept is how long an opened access token stays in memory. A call
	// then costs no statement and no decryption; and what a forgotten purge
	// or an epoch that cannot be read leaves behind is gone after a minute.
	tokenKept = time.Minute
	// boxKept is how long an opened data key stays in memory: key services
	// allow a few hundred unwraps a second for a whole company.
	boxKept = 15 * time.Minute
	// revokeTime is for taking back a grant that could not be recorded.
	revokeTime = 10 * time.Second
	// maxKept limits each of the two.
	maxKept = 10_000
	// defaultIdleLife is after how long Atlassian forgets an unused grant.
	defaultIdleLife = 90 * 24 * time.Hour
)

// Strategy says when grants are refreshed.
type Strategy string

// The strategies. The zero Strategy is Lazy.
const (
	Lazy      Strategy = "lazy"       // when a call needs it
	Proactive Strategy = "proactive"  // shortly before expiry, for people who were here in the last day
	KeepAlive Strategy = "keep_alive" // proactive, and unused grants before they die of idleness
)

// background reports whether Run refreshes anything under s.
func (s Strategy) background() bool { return s == Proactive || s == KeepAlive }

// Kind is what happened to a grant.
type Kind string

// The kinds of events.
const (
	EventIssued     Kind = "grant.issued"
	EventRefreshed  Kind = "grant.refreshed"
	EventRefused    Kind = "grant.refused"
	EventSuperseded Kind = "grant.superseded"
	EventRevoked    Kind = "grant.revoked"
)

// Event is something that an auditor wants to know of a grant.
type Event struct {
	Kind   Kind
	Time   time.Time
	Grant  identity.GrantID
	Person identity.PersonID
	Tenant identity.TenantID
	Detail string // plain words; may be empty
}

// Config is what a keeper needs. Everything is required unless stated.
type Config struct {
	Store     Store
	Refreshes RefreshStore
	KEK       seal.KEK
	Refresher Refresher
	// Event stores what happened. A new grant and a revocation report its
	// error; a refresh goes on, since the call that needed it is recorded too.
	Event func(context.Context, Event) error
	Log   *slog.Logger
	// Strategy of a tenant. Optional; Lazy by default.
	Strategy func(identity.TenantID) Strategy
	// IdleLife is after how long the authorization server forgets a grant
	// that nobody uses. Optional; 90 days by default.
	IdleLife time.Duration
}

// owner is who may use a grant: at most one is current for each.
type owner struct {
	person identity.PersonID
	tenant identity.TenantID
}

func ownerOf(g Grant) owner { return owner{g.Person, g.Tenant} }

// Keeper keeps grants and gives out their access tokens. Its methods may be
// called from many goroutines; several keepers, one in each replica, may share
// a store. [Keeper.Run] must run for last-used notes and background refreshes,
// and ends the keeper; without it call [Keeper.Close].
//
// Errors that a new sign-in would mend are user errors with the code SignIn;
// the others are user errors with the code Unavailable or Timeout.
type Keeper struct {
	cfg        Config
	background bool // some tenant may not be lazy
	tokens     *cache[owner, Token]
	boxes      *cache[identity.GrantID, *seal.Box]

	grants   *pace[identity.GrantID]  // refreshes that failed
	tenants  *pace[identity.TenantID] // token endpoints that failed
	refusals *tally[identity.TenantID]
	forced   *tally[owner]

	ending chan struct{}  // closed by Close
	wake   chan struct{}  // a new grant may be due before Run thought
	group  sync.WaitGroup // refreshes under way

	mu      sync.Mutex
	flights map[owner]*flight               // guarded by mu
	stopped bool                            // guarded by mu; then ending is closed
	used    map[identity.GrantID]time.Time  // guarded by mu; written to the store by Run
	tripped map[identity.TenantID]time.Time // guarded by mu: until when refusals are not believed
}

// New returns a keeper, or all that is missing in cfg.
func New(cfg Config) (*Keeper, error) {
	var problems []error
	for name, missing := range map[string]bool{
		"Store": cfg.Store == nil, "Refreshes": cfg.Refreshes == nil, "KEK": cfg.KEK == nil,
		"Refresher": cfg.Refresher == nil, "Event": cfg.Event == nil, "Log": cfg.Log == nil,
	} {
		if missing {
			problems = append(problems, fmt.Errorf("grant.Config: %s is missing", name))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	background := cfg.Strategy != nil
	if !background {
		cfg.Strategy = func(identity.TenantID) Strategy { return Lazy }
	}
	if cfg.IdleLife <= 0 {
		cfg.IdleLife = defaultIdleLife
	}
	return &Keeper{
		cfg:        cfg,
		background: background,
		tokens:     newCache[owner, Token](maxKept),
		boxes:      newCache[identity.GrantID, *seal.Box](maxKept),
		grants:     newPace[identity.GrantID](0),
		tenants:    newPace[identity.TenantID](manyFailures),
		refusals:   newTally[identity.TenantID](),
		forced:     newTally[owner](),
		ending:     make(chan struct{}),
		wake:       make(chan struct{}, 1),
		flights:    map[owner]*flight{},
		used:       map[identity.GrantID]time.Time{},
		tripped:    map[identity.TenantID]time.Time{},
	}, nil
}

// Token returns an access token that is good for a while, refreshed if due.
// Its Sites are shared: do not change them.
func (k *Keeper) Token(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (Token, error) {
	who, now := owner{person, tenant}, time.Now()
	if t, ok := k.tokens.get(who, now); ok {
		k.noteUse(t.Grant, now)
		return t, nil
	}
	seen := k.tokens.generation()
	row, err := k.current(ctx, who)
	if err != nil {
		return Token{}, err
	}
	var token Token
	if fresh(row.Grant, now) {
		token, err = k.open(ctx, row)
		if err == nil {
			k.remember(seen, token, row.Grant)
		}
	} else {
		token, err = k.renewedOrOld(ctx, row, seen)
	}
	if err != nil {
		return Token{}, err
	}
	k.noteUse(token.Grant, now)
	return token, nil
}

// Rejected exchanges a token that Confluence called expired for another one:
// the latest, or a refreshed one where token is the latest.
func (k *Keeper) Rejected(ctx context.Context, token Token) (Token, error) {
	who := owner{token.Person, token.Tenant}
	if kept, ok := k.tokens.get(who, time.Now()); ok && versionOf(kept) == versionOf(token) {
		k.tokens.drop(who)
	}
	row, err := k.current(ctx, who)
	if err != nil {
		return Token{}, err
	}
	// Tokens that die young at Confluence must not become a storm at the
	// token endpoint.
	if (version{row.ID, row.Version}) == versionOf(token) &&
		k.forced.add(who, fmt.Sprint(row.Version), time.Now()) > manyForced {
		return Token{}, errDeadOnArrival()
	}
	return k.renewed(ctx, who, versionOf(token))
}

// current reads the grant that can be used, or says that a sign-in is needed.
func (k *Keeper) current(ctx context.Context, who owner) (Row, error) {
	row, err := k.cfg.Store.GrantFind(ctx, who.person, who.tenant)
	switch {
	case errors.Is(err, ErrNone):
		return Row{}, errNoGrant()
	case err != nil:
		return Row{}, errStore(err)
	case row.State != Live:
		return row, errSignInAgain()
	}
	return row, nil
}

// remember keeps an opened token for the next calls, unless grants were
// purged since seen.
func (k *Keeper) remember(seen uint64, t Token, g Grant) {
	now := time.Now()
	until := g.TokenExpires.Add(-margin(g))
	if limit := now.Add(tokenKept); until.After(limit) {
		until = limit
	}
	k.tokens.put(seen, ownerOf(g), t, until)
}

// Describe tells what may be shown of a person's grant. In state SignInAgain
// it returns the grant beside the error.
func (k *Keeper) Describe(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (Grant, error) {
	row, err := k.current(ctx, owner{person, tenant})
	k.mu.Lock()
	defer k.mu.Unlock()
	if used := k.used[row.ID]; used.After(row.Used) {
		row.Used = used.Truncate(time.Minute)
	}
	return row.Grant, err
}

// List returns all grants, the latest first, those that ended included.
func (k *Keeper) List(ctx context.Context) ([]Grant, error) {
	all, err := k.cfg.Store.GrantList(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing grants: %w", err)
	}
	return all, nil
}

// Put seals and stores a new grant: of g, who, tenant, account and sites
// count. It supersedes the person's former grant for the tenant, if any. A new
// grant that cannot be recorded is revoked at once.
func (k *Keeper) Put(ctx context.Context, g Grant, tokens Tokens) (identity.GrantID, error) {
	if g.Person == "" || g.Tenant == "" || tokens.Access.Empty() || tokens.Refresh.Empty() {
		return "", errors.New("storing a grant: person, tenant or a token is missing")
	}
	now := time.Now()
	row := Row{Grant: Grant{
		ID: identity.GrantID(identity.NewID("g_")), Person: g.Person, Tenant: g.Tenant, State: Live, Account: g.Account,
		Scopes: slices.Clone(g.Scopes), Sites: slices.Clone(g.Sites), Issued: now, Used: now.Truncate(time.Minute),
	}, Version: 1}
	box, wrapped, err := seal.NewKey(ctx, k.cfg.KEK, keyPlace(row.Grant))
	if err != nil {
		return "", errSealed(err)
	}
	row.Key = wrapped
	if err := k.fill(&row, box, tokens, now); err != nil {
		return "", errSealed(err)
	}
	before, err := k.cfg.Store.GrantPut(ctx, row)
	if err != nil {
		return "", errStore(err)
	}
	k.forget(ownerOf(row.Grant), before)
	select {
	case k.wake <- struct{}{}:
	default: // Run will look anyway
	}
	var replaced error
	if before != "" {
		old := row.Grant
		old.ID = before
		replaced = k.event(ctx, EventSuperseded, old, "by "+string(row.ID))
	}
	if err := errors.Join(replaced, k.event(ctx, EventIssued, row.Grant, "")); err != nil {
		return "", k.unrecorded(ctx, row.Grant, err)
	}
	return row.ID, nil
}

// unrecorded revokes a new grant of which there is no record.
func (k *Keeper) unrecorded(ctx context.Context, g Grant, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	err := k.cfg.Store.GrantRevoke(ctx, g.ID, time.Now())
	k.forget(ownerOf(g), g.ID)
	if err != nil {
		k.cfg.Log.ErrorContext(ctx, "a new grant could neither be recorded nor revoked: revoke it by hand", "grant", g.ID, "err", errors.Join(why, err))
		return errUnrecorded(errors.Join(why, err), "it may have to be revoked by hand")
	}
	k.cfg.Log.ErrorContext(ctx, "a new grant was revoked, since it could not be recorded", "grant", g.ID, "err", why)
	// Perhaps the store has both by now, or only the issue whose answer was
	// lost: then the chain should end with the truth.
	why = errors.Join(why, k.event(ctx, EventRevoked, g, "its issue could not be recorded"))
	return errUnrecorded(why, "it was revoked again")
}

// Revoke ends a grant for good: its key and tokens are destroyed, and no
// replica gives them out once it has noticed that the epoch moved. Revoking
// twice is no error; an unknown id is [ErrNone]. Any other error may be of the
// record only: the grant is then revoked nevertheless.
func (k *Keeper) Revoke(ctx context.Context, id identity.GrantID) error {
	row, err := k.cfg.Store.GrantGet(ctx, id)
	if err != nil {
		return fmt.Errorf("looking for grant %s: %w", id, err)
	}
	if err := k.cfg.Store.GrantRevoke(ctx, id, time.Now()); err != nil {
		return fmt.Errorf("revoking grant %s: %w", id, err)
	}
	k.forget(ownerOf(row.Grant), id)
	if row.State == Revoked {
		return nil
	}
	return k.event(ctx, EventRevoked, row.Grant, "")
}

// Purge forgets all that was opened. Call it whenever the epoch moved, or when
// it cannot be read: other replicas may have revoked or superseded grants.
func (k *Keeper) Purge() {
	k.tokens.clear()
	k.boxes.clear()
}

func (k *Keeper) forget(who owner, id identity.GrantID) {
	k.tokens.drop(who)
	k.boxes.drop(id)
}

// noteUse remembers when a grant was used last, for Run to store.
func (k *Keeper) noteUse(id identity.GrantID, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.used[id]; ok || len(k.used) < maxKept {
		k.used[id] = now
	}
}

func (k *Keeper) event(ctx context.Context, kind Kind, g Grant, detail string) error {
	e := Event{Kind: kind, Time: time.Now(), Grant: g.ID, Person: g.Person, Tenant: g.Tenant, Detail: detail}
	if err := k.cfg.Event(ctx, e); err != nil {
		return fmt.Errorf("recording %s of %s: %w", kind, g.ID, err)
	}
	return nil
}
