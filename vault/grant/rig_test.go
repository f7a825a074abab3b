package grant_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// canary is in every token that the tests use, and must be nowhere else.
const canary = "cAnArY"

const (
	ada  identity.PersonID = "p_ada"
	acme identity.TenantID = "acme"
)

// endpoint is a token endpoint with rotating refresh tokens: each may be used
// once, and again within the leeway.
type endpoint struct {
	mu     sync.Mutex
	life   time.Duration
	leeway time.Duration
	spent  map[string]time.Time // refresh token -> when it was rotated
	posts  int                  // guarded by mu
	reused int                  // guarded by mu
	made   int                  // guarded by mu

	// before may answer in its place, or delay; after sees the answer before
	// it is sent and may lose it.
	before func(ctx context.Context, refresh string) error
	after  func(ctx context.Context) error
}

func newEndpoint() *endpoint {
	return &endpoint{life: time.Hour, leeway: 10 * time.Minute, spent: map[string]time.Time{}}
}

func (e *endpoint) tokens() grant.Tokens {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made++
	return grant.Tokens{
		Access: secret.New(fmt.Sprintf("%s-access-%d", canary, e.made)), Refresh: secret.New(fmt.Sprintf("%s-refresh-%d", canary, e.made)),
		Expires: time.Now().Add(e.life), Scopes: []string{"read:page:confluence", "offline_access"},
	}
}

// Refresh implements grant.Refresher.
func (e *endpoint) Refresh(ctx context.Context, _ identity.TenantID, refresh secret.String) (grant.Tokens, error) {
	e.mu.Lock()
	e.posts++
	before, after := e.before, e.after
	e.mu.Unlock()
	if before != nil {
		if err := before(ctx, refresh.Reveal()); err != nil {
			return grant.Tokens{}, err
		}
	}
	if err := e.spend(refresh.Reveal()); err != nil {
		return grant.Tokens{}, err
	}
	tokens := e.tokens()
	if after != nil {
		if err := after(ctx); err != nil {
			return grant.Tokens{}, err
		}
	}
	return tokens, nil
}

func (e *endpoint) spend(refresh string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, spent := e.spent[refresh]
	switch {
	case !strings.HasPrefix(refresh, canary+"-refresh-"):
		return fmt.Errorf("unknown token: %w", grant.ErrRefused)
	case !spent:
		e.spent[refresh] = time.Now()
	case time.Since(at) > e.leeway:
		return fmt.Errorf("rotated long ago: %w", grant.ErrRefused)
	default:
		e.reused++
	}
	return nil
}

func (e *endpoint) set(before func(context.Context, string) error, after func(context.Context) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.before, e.after = before, after
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.posts
}

// lines is a log that may be written from many goroutines.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// rig is what keepers share: a real store, a real key, a token endpoint.
type rig struct {
	t        testing.TB
	db       *store.DB
	kek      seal.KEK
	endpoint *endpoint
	log      *lines

	mu     sync.Mutex
	events []string // guarded by mu
}

func newRig(t testing.TB) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite::memory:", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	kek, err := seal.OpenKEK(t.Context(), "file:kek", t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, db: db, kek: kek, endpoint: newEndpoint(), log: &lines{}}
}

// keeper returns one more replica. Changes may alter its configuration.
func (r *rig) keeper(changes ...func(*grant.Config)) *grant.Keeper {
	r.t.Helper()
	cfg := grant.Config{
		Store: r.db, Refreshes: r.db, KEK: r.kek, Refresher: r.endpoint, Event: r.event,
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	for _, change := range changes {
		change(&cfg)
	}
	k, err := grant.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(k.Close)
	return k
}

func (r *rig) event(_ context.Context, e grant.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, string(e.Kind))
	return nil
}

func (r *rig) happened() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.events...)
}

// consent gives person a grant.
func (r *rig) consent(k *grant.Keeper, person identity.PersonID) identity.GrantID {
	r.t.Helper()
	id, err := k.Put(r.t.Context(), grant.Grant{
		Person: person, Tenant: acme, Account: "account-" + string(person),
		Sites: []grant.Site{{Name: "wiki", CloudID: "c-1", URL: "https://acme.atlassian.net"}},
	}, r.endpoint.tokens())
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *rig) token(k *grant.Keeper, person identity.PersonID) grant.Token {
	r.t.Helper()
	token, err := k.Token(r.t.Context(), person, acme)
	if err != nil {
		r.t.Fatalf("Token(%s): %v", person, err)
	}
	return token
}

// want checks which of the endpoint's access tokens this is.
func (r *rig) want(token grant.Token, number int) {
	r.t.Helper()
	if got, want := token.Value.Reveal(), fmt.Sprintf("%s-access-%d", canary, number); got != want {
		r.t.Errorf("token %s; want %s", got, want)
	}
}

func (r *rig) wantPosts(want int) {
	r.t.Helper()
	if got := r.endpoint.count(); got != want {
		r.t.Errorf("%d posts to the token endpoint; want %d", got, want)
	}
}
