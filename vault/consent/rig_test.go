package consent_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// memory is a store without a disk, so that time can be faked around it.
type memory struct {
	mu     sync.Mutex
	logins map[identity.LoginID]consent.Login // guarded by mu
	starts map[consent.StartID]consent.Start  // guarded by mu
	told   map[identity.LoginID]bool          // guarded by mu
	broken error                              // guarded by mu; if not nil, saving fails
}

func (m *memory) LoginBegin(_ context.Context, fresh consent.Login, most int) (consent.Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked(fresh.Created)
	open := 0
	for _, l := range m.logins {
		if l.Device == fresh.Device && l.Ended.IsZero() {
			return l, nil
		}
		if l.Ended.IsZero() {
			open++
		}
	}
	if open >= most {
		return consent.Login{}, consent.ErrFull
	}
	m.logins[fresh.ID] = fresh
	return fresh, nil
}

func (m *memory) expireLocked(now time.Time) {
	for id, l := range m.logins {
		if l.Ended.IsZero() && !now.Before(l.Expires) {
			l.Phase, l.Ended, l.Secrets, l.Code = consent.Expired, now, nil, nil
			l.Version++
			m.logins[id] = l
		}
	}
}

func (m *memory) LoginFind(_ context.Context, by consent.Find) (consent.Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.logins {
		if by.ID != "" && l.ID == by.ID || by.Link != nil && slices.Equal(l.Link, by.Link) || by.State != nil && slices.Equal(l.State, by.State) {
			return l, nil
		}
	}
	return consent.Login{}, consent.ErrNone
}

func (m *memory) LoginSave(_ context.Context, l consent.Login) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if m.logins[l.ID].Version != l.Version {
		return consent.ErrMoved
	}
	l.Version++
	m.logins[l.ID] = l
	return nil
}

func (m *memory) LoginRecent(_ context.Context, device identity.DeviceID, since time.Time) ([]consent.Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []consent.Login
	for _, l := range m.logins {
		if l.Device == device && !l.Created.Before(since) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b consent.Login) int { return b.Created.Compare(a.Created) })
	return all, nil
}

func (m *memory) LoginExpire(_ context.Context, now time.Time) ([]consent.Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked(now)
	var all []consent.Login
	for id, l := range m.logins {
		if l.Phase == consent.Expired && !m.told[id] {
			m.told[id] = true
			all = append(all, l)
		}
	}
	return all, nil
}

func (m *memory) LoginForget(_ context.Context, before time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, l := range m.logins {
		if !l.Ended.IsZero() && l.Ended.Before(before) {
			delete(m.logins, id)
		}
	}
	return nil
}

func (m *memory) StartSave(_ context.Context, s consent.Start) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts[s.ID] = s
	return nil
}

func (m *memory) StartLeft(_ context.Context, login identity.LoginID, stream identity.StreamID, since time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.starts {
		if s.Login == login && s.Stream == stream && !s.Seen.After(since) {
			s.Seen = time.Time{}
			m.starts[id] = s
		}
	}
	return nil
}

func (m *memory) StartGet(_ context.Context, id consent.StartID) (consent.Start, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.starts[id]
	if !ok {
		return consent.Start{}, consent.ErrNone
	}
	return s, nil
}

func (m *memory) StartList(_ context.Context, login identity.LoginID) ([]consent.Start, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []consent.Start
	for _, s := range m.starts {
		if s.Login == login {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b consent.Start) int { return b.Seen.Compare(a.Seen) })
	return all, nil
}

// one returns the only login.
func (m *memory) one(t testing.TB) consent.Login {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.logins) != 1 {
		t.Fatalf("there are %d logins", len(m.logins))
	}
	for _, l := range m.logins {
		return l
	}
	return consent.Login{}
}

// rig is a desk over a memory, with an Atlassian that always agrees.
type rig struct {
	t     testing.TB
	store *memory
	desk  *consent.Desk
	box   *seal.Box
	apps  map[identity.TenantID]*atlassian.App
	kept  []grant.Grant
	ended []identity.GrantID // revoked
	keep  error              // if not nil, grants cannot be stored

	signedOut bool // devices have no session

	mu    sync.Mutex
	alive map[identity.StreamID]bool // guarded by mu
	asked map[string]int             // guarded by mu; requests by path
	wait  time.Duration              // of the token endpoint
	fault bool                       // the token endpoint answers with an error

	codes bool // people may sign in with a code
}

func newRig(t testing.TB, tenants ...identity.TenantID) *rig {
	t.Helper()
	r := &rig{
		t: t, alive: map[identity.StreamID]bool{}, asked: map[string]int{}, apps: map[identity.TenantID]*atlassian.App{},
		store: &memory{logins: map[identity.LoginID]consent.Login{}, starts: map[consent.StartID]consent.Start{}, told: map[identity.LoginID]bool{}},
	}
	if len(tenants) == 0 {
		tenants = []identity.TenantID{"acme"}
	}
	kek, err := seal.OpenKEK(t.Context(), "file:kek", t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	if r.box, _, err = seal.NewKey(t.Context(), kek, seal.AAD{Purpose: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range tenants {
		r.apps[tenant], err = atlassian.New(atlassian.Config{
			ClientID: "id", ClientSecret: secret.New("the-secret"), Scopes: []string{"read:page:confluence"},
			Redirect: "https://vault.example/callback/" + string(tenant), Sites: []atlassian.Site{{Name: "wiki", URL: "https://acme.atlassian.net"}},
			HTTP: &http.Client{Transport: r},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r.boot(tenants)
	return r
}

// boot makes a desk, as a vault that starts does.
func (r *rig) boot(tenants []identity.TenantID) {
	r.desk = consent.NewDesk(consent.DeskConfig{
		Logins: r.store, Starts: r.store, Box: r.box, Grants: r,
		Tenants:  func() []identity.TenantID { return tenants },
		App:      func(id identity.TenantID) (*atlassian.App, bool) { a, ok := r.apps[id]; return a, ok },
		ByCode:   func(identity.TenantID) bool { return r.codes },
		SignedIn: func(context.Context, identity.DeviceID) (bool, error) { return !r.signedOut, nil },
		Alive: func(_ identity.DeviceID, id identity.StreamID) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.alive[id]
		},
	})
}

func (r *rig) live(stream string, alive bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive[identity.StreamID(stream)] = alive
}

// Put implements consent.Grants.
func (r *rig) Put(_ context.Context, g grant.Grant, _ grant.Tokens) (identity.GrantID, error) {
	if r.keep != nil {
		return "", r.keep
	}
	r.kept = append(r.kept, g)
	return "g_1", nil
}

// Revoke implements consent.Grants.
func (r *rig) Revoke(_ context.Context, id identity.GrantID) error {
	r.ended = append(r.ended, id)
	return nil
}

// RoundTrip answers as Atlassian.
func (r *rig) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.asked[req.URL.Path]++
	r.mu.Unlock()
	body, status := "", http.StatusOK
	switch req.URL.Path {
	case "/oauth/token":
		time.Sleep(r.wait)
		body = `{"access_token":"a","refresh_token":"r","expires_in":3600,"token_type":"Bearer"}`
		if r.fault {
			body, status = `{"error":"invalid_grant"}`, http.StatusForbidden
		}
	case "/me":
		body = `{"account_id":"ada","name":"Ada Berger"}`
	default:
		body = `[{"id":"c1","url":"https://acme.atlassian.net","scopes":["read:page:confluence"]}]`
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// process is a shim's process.
type process struct {
	r        *rig
	ask      consent.Ask
	verifier string
	begun    consent.Begun
}

func (r *rig) process(device, stream string) *process {
	verifier := random()
	sum := sha256.Sum256([]byte(verifier))
	r.live(stream, true)
	return &process{r: r, verifier: verifier, ask: consent.Ask{
		Device: identity.DeviceID(device), Stream: identity.StreamID(stream), Loopback: "http://127.0.0.1:40000/" + random(),
		Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), Asker: consent.Asker{Host: "laptop", User: "ada", Address: "192.0.2.1"},
	}}
}

// leave is how a process ends, or its connection.
func (p *process) leave() {
	p.r.t.Helper()
	p.r.live(string(p.ask.Stream), false)
	p.lost(time.Now())
}

// lost is what the replica says that a process was connected to.
func (p *process) lost(since time.Time) {
	p.r.t.Helper()
	if err := p.r.desk.Left(p.r.t.Context(), p.ask.Device, p.ask.Stream, since); err != nil {
		p.r.t.Fatal(err)
	}
}

// begin asks, again if it has asked before.
func (p *process) begin() consent.Begun {
	p.r.t.Helper()
	begun, err := p.r.desk.Begin(p.r.t.Context(), p.ask)
	if err != nil {
		p.r.t.Fatalf("beginning: %v", err)
	}
	p.begun, p.ask.Start = begun, begun.Start
	return begun
}

// click goes on with a browser and returns its cookie and the state.
func (r *rig) click(link secret.String) (cookie, state string) {
	r.t.Helper()
	v, err := r.desk.Visit(r.t.Context(), link.Reveal(), true)
	if err != nil {
		r.t.Fatalf("visiting: %v", err)
	}
	on, err := r.desk.Continue(r.t.Context(), link.Reveal(), consent.Click{Form: v.Form.Reveal(), Tenant: "acme"})
	if err != nil {
		r.t.Fatalf("going on: %v", err)
	}
	u, err := url.Parse(on.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	return on.Cookie.Reveal(), u.Query().Get("state")
}

// back brings the browser back with a code and returns the way to the
// loopback, parsed.
func (r *rig) back(cookie, state string) *url.URL {
	r.t.Helper()
	to, err := r.desk.Return(r.t.Context(), consent.Callback{
		Tenant: "acme", State: state, Code: "the-code", Cookie: func(consent.Login) string { return cookie },
	})
	if err != nil || to.Loopback == "" {
		r.t.Fatalf("coming back: %+v, %v", to, err)
	}
	u, err := url.Parse(to.Loopback)
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

func (p *process) claim(at *url.URL) consent.Claim {
	q := at.Query()
	return consent.Claim{Device: p.ask.Device, Start: consent.StartID(q.Get("start")), Ticket: secret.New(q.Get("ticket")), Verifier: secret.New(p.verifier)}
}

// Describe implements consent.Grants: there is what was kept.
func (r *rig) Describe(_ context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Grant, error) {
	for _, g := range r.kept {
		if g.Person == person && g.Tenant == tenant {
			g.ID = "g_1"
			return g, nil
		}
	}
	return grant.Grant{}, usererr.New(usererr.SignIn, "none", "")
}
