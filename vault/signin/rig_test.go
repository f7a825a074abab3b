package signin_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc/oidctest"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

const (
	clientID     = "rig-client"
	clientSecret = "rig-client-secret-CANARY"
)

var scopes = []string{"read:page:confluence", "write:page:confluence", "read:space:confluence", "search:confluence"}

// rig is a vault's sign-in over a real store and the simulated Atlassian.
type rig struct {
	t       testing.TB
	dir     string
	sim     *atlassiansim.Sim
	simURL  string
	url     string
	public  string // what the vault is called; default url
	log     *buffer
	tenants []identity.TenantID

	server *httptest.Server
	mu     sync.Mutex
	vault  http.Handler // guarded by mu
	db     *store.DB
	audit  *audit.Log
	keeper *session.Keeper
	grants *grant.Keeper
	signin *signin.Handler
	// company is nil without its sign-in.
	company *company.Keeper

	streams streams

	consents atomic.Int32 // visits to Atlassian's consent page
}

// buffer takes log lines from several goroutines.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// streams are the shims that are connected, and what they were told.
type streams struct {
	mu    sync.Mutex
	alive map[identity.StreamID]bool
	done  []wire.LoginDone
	onto  func(wire.LoginDone) // if not nil, hears too
}

func (s *streams) Alive(_ identity.DeviceID, id identity.StreamID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive[id]
}

func (s *streams) set(id string, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive == nil {
		s.alive = map[identity.StreamID]bool{}
	}
	s.alive[identity.StreamID(id)] = alive
}

func (s *streams) LoginDone(_ identity.DeviceID, done wire.LoginDone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, done)
	if s.onto != nil {
		s.onto(done)
	}
}

// forward lets a real shim hear what its stream is told.
func (s *streams) forward(onto func(wire.LoginDone)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onto = onto
}

func (s *streams) told() []wire.LoginDone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

type rigOptions struct {
	everywhere func(context.Context, session.Session, string) (wire.LoggedOut, error)
	people     []atlassiansim.Person
	tenants    []identity.TenantID // default acme
	company    string
	byCode     bool               // tenants allow codes
	idp        *oidctest.Provider // the company's sign-in
	access     *policy.People     // who may use what; everybody everything by default
	site       string             // base_url of the tenant's site; default the sim's acme
	address    func(*http.Request) netip.Addr
	before     func(audit.Entry) error // runs before a record is stored; its error is the answer
}

// auditor lets a test come between the sign-in and its records.
type auditor struct {
	*audit.Log
	before func(audit.Entry) error
}

func (a auditor) Record(ctx context.Context, e audit.Entry) error {
	if a.before != nil {
		if err := a.before(e); err != nil {
			return err
		}
	}
	return a.Log.Record(ctx, e)
}

func newRig(t testing.TB, opt rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), log: &buffer{}, tenants: opt.tenants}
	if r.tenants == nil {
		r.tenants = []identity.TenantID{"acme"}
	}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		vault := r.vault
		r.mu.Unlock()
		vault.ServeHTTP(w, req)
	}))
	r.url = r.server.URL
	r.public = r.url
	var apps []atlassiansim.App
	for _, tenant := range r.tenants {
		apps = append(apps, atlassiansim.App{ClientID: clientID + "-" + string(tenant), Secret: clientSecret, Name: "Coatcheck", Callback: r.url + "/callback/" + string(tenant)})
	}
	r.sim = atlassiansim.New(atlassiansim.Options{Apps: apps, Canary: "CANARY", People: opt.people})
	sim := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/authorize" {
			r.consents.Add(1)
		}
		r.sim.ServeHTTP(w, req)
	}))
	r.simURL = sim.URL
	r.boot(opt)
	t.Cleanup(func() {
		r.server.Close()
		sim.Close()
		if err := r.db.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
		if t.Failed() {
			t.Logf("the log says:\n%s", r.log)
		}
	})
	return r
}

// boot assembles the vault's part of a sign-in, once more after a restart.
func (r *rig) boot(opt rigOptions) {
	r.t.Helper()
	must := func(err error) {
		if err != nil {
			r.t.Helper()
			r.t.Fatal(err)
		}
	}
	ctx := context.WithoutCancel(r.t.Context())
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	r.db, err = store.Open(ctx, "sqlite:vault.db", r.dir)
	must(err)
	kek, err := seal.OpenKEK(ctx, "file:kek", r.dir, true)
	must(err)
	box, err := seal.Vault(ctx, kek, r.db, "login")
	must(err)
	key, err := seal.VaultSecret(ctx, kek, r.db, "nonce")
	must(err)
	apps := map[identity.TenantID]*atlassian.App{}
	site := opt.site
	if site == "" {
		site = r.sim.SiteURL("acme")
	}
	for _, tenant := range r.tenants {
		apps[tenant], err = atlassian.New(atlassian.Config{
			ClientID: clientID + "-" + string(tenant), ClientSecret: secret.New(clientSecret), Scopes: scopes,
			Redirect: r.url + "/callback/" + string(tenant), Sites: []atlassian.Site{{Name: "wiki", URL: site}},
			Authorize: r.simURL + "/authorize", Token: r.simURL + "/oauth/token", API: r.simURL, HTTP: http.DefaultClient,
		})
		must(err)
	}
	app := func(id identity.TenantID) (*atlassian.App, bool) { a, ok := apps[id]; return a, ok }
	r.audit = audit.New(audit.Config{Sink: r.db})
	r.keeper = session.New(session.Config{Store: r.db})
	r.grants, err = grant.New(grant.Config{
		Store: r.db, Refreshes: r.db, KEK: kek, Refresher: atlassian.Refresher{App: app}, Log: log,
		Event: func(ctx context.Context, e grant.Event) error {
			return r.audit.Record(ctx, audit.Entry{Event: string(e.Kind), Outcome: "ok", Tenant: e.Tenant})
		},
	})
	must(err)
	nonces := dpop.NewNonces(key, time.Minute)
	desk := consent.DeskConfig{
		Logins: r.db, Starts: r.db, Box: box, Grants: r.grants, App: app, Alive: r.streams.Alive,
		Tenants: func() []identity.TenantID { return r.tenants },
		ByCode:  func(identity.TenantID) bool { return opt.byCode },
	}
	corporate := r.addCompany(opt, kek, &desk)
	r.signin, err = signin.New(signin.Config{
		Desk: consent.NewDesk(desk), Company: corporate, Sessions: r.keeper, Audit: auditor{r.audit, opt.before}, Streams: &r.streams,
		Nonces: nonces, Verifier: dpop.NewVerifier(dpop.VerifierConfig{Nonces: nonces, Replay: r.db}),
		PublicURL: r.public, Log: log, CompanyName: opt.company, Address: opt.address, Everywhere: opt.everywhere,
	})
	must(err)
	mux := http.NewServeMux()
	r.signin.Register(mux)
	r.mu.Lock()
	r.vault = mux
	r.mu.Unlock()
}

// age makes everything that is stored older.
func (r *rig) age(by time.Duration) {
	r.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "vault.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("UPDATE logins SET created = created - $1, expires = expires - $1", by.Milliseconds()); err != nil {
		r.t.Fatal(err)
	}
}

// late lets tickets and codes run out.
func (r *rig) late() {
	r.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "vault.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("UPDATE logins SET details = json_set(details, '$.ticket_until', '2000-01-01T00:00:00Z')"); err != nil {
		r.t.Fatal(err)
	}
}

// restart ends the vault and starts another one on the same store.
func (r *rig) restart(opt rigOptions) {
	r.t.Helper()
	if err := r.db.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.boot(opt)
}

// events lists the audit records by name, oldest first.
func (r *rig) events() []string {
	r.t.Helper()
	var all []string
	tenants, err := r.audit.Tenants(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, tenant := range tenants {
		records, err := r.audit.List(r.t.Context(), tenant, 0, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, record := range records {
			all = append(all, record.Event)
		}
	}
	return all
}

// nothingStored checks that nobody is signed in and no grant exists.
func (r *rig) nothingStored() {
	r.t.Helper()
	grants, err := r.grants.List(r.t.Context())
	if err != nil || len(grants) != 0 {
		r.t.Errorf("grants are %v, %v; want none", grants, err)
	}
	sessions, err := r.keeper.List(r.t.Context())
	if err != nil || len(sessions) != 0 {
		r.t.Errorf("sessions are %v, %v; want none", sessions, err)
	}
}

// noCode wants no authorization code to be kept.
func (r *rig) noCode() {
	r.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "vault.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var codes int
	if err := db.QueryRow("SELECT count(*) FROM logins WHERE code IS NOT NULL").Scan(&codes); err != nil || codes != 0 {
		r.t.Errorf("%d codes are kept, %v", codes, err)
	}
}

// sweep lets the vault end what nobody finished.
func (r *rig) sweep() {
	r.t.Helper()
	before := len(r.streams.told())
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.signin.Run(ctx) }()
	for range 200 {
		if len(r.streams.told()) > before {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		r.t.Errorf("Run returned %v", err)
	}
}

// leaks looks for secrets in the log and in every file of the vault.
func (r *rig) leaks(more ...string) {
	r.t.Helper()
	places := map[string]string{"the log": r.log.String()}
	files, _ := filepath.Glob(filepath.Join(r.dir, "*"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			r.t.Fatal(err)
		}
		places[filepath.Base(name)] = string(text)
	}
	secrets := append(append(r.sim.Secrets(), "CANARY", clientSecret), more...)
	for place, text := range places {
		for _, s := range secrets {
			if s != "" && strings.Contains(text, s) {
				r.t.Errorf("%s contains a secret that begins %.12q", place, s)
			}
		}
	}
}

// device is a laptop with its key.
type device struct {
	r     *rig
	key   *ecdsa.PrivateKey
	id    identity.DeviceID
	nonce string
}

func (r *rig) device() *device {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	thumbprint, err := dpop.Thumbprint(&key.PublicKey)
	if err != nil {
		r.t.Fatal(err)
	}
	return &device{r: r, key: key, id: identity.DeviceID(thumbprint)}
}

// post sends a request with a proof, and once more if the vault wants its
// nonce. It returns the status and, for a failure, the problem.
func (d *device) post(path string, in, out any) (int, wire.Problem) {
	d.r.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		d.r.t.Fatal(err)
	}
	for {
		proof, err := dpop.Prove(d.key, dpop.Claims{Method: http.MethodPost, URL: d.r.public + path, Nonce: d.nonce})
		if err != nil {
			d.r.t.Fatal(err)
		}
		req, _ := http.NewRequest(http.MethodPost, d.r.url+path, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(dpop.Header, proof)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			d.r.t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		before := d.nonce
		d.nonce = res.Header.Get(dpop.NonceHeader)
		if res.StatusCode == http.StatusUnauthorized && before == "" && strings.Contains(res.Header.Get("WWW-Authenticate"), "use_dpop_nonce") {
			continue
		}
		var problem wire.Problem
		if res.StatusCode/100 != 2 {
			if err := json.Unmarshal(text, &problem); err != nil {
				d.r.t.Fatalf("%s answered %d and no problem: %s", path, res.StatusCode, text)
			}
		} else if out != nil {
			if err := json.Unmarshal(text, out); err != nil {
				d.r.t.Fatalf("%s answered %q: %v", path, text, err)
			}
		}
		return res.StatusCode, problem
	}
}

// shim is one process of a device that waits for its browser.
type shim struct {
	*device
	verifier string
	stream   string
	loopback *httptest.Server
	path     string
	arrived  chan url.Values
	answer   chan string // where the browser goes
	started  wire.LoginStarted
	code     bool // it waits for a code, not for the browser
}

func (d *device) shim(stream string) *shim {
	d.r.t.Helper()
	s := &shim{device: d, verifier: random(), stream: stream, path: "/" + random(), arrived: make(chan url.Values, 8), answer: make(chan string, 8)}
	s.loopback = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != s.path {
			http.NotFound(w, r)
			return
		}
		s.arrived <- r.URL.Query()
		select {
		case to := <-s.answer:
			http.Redirect(w, r, to, http.StatusSeeOther)
		case <-time.After(time.Minute):
			http.Error(w, "the test did not answer", http.StatusGatewayTimeout)
		}
	}))
	d.r.t.Cleanup(s.loopback.Close)
	d.r.streams.set(stream, true)
	return s
}

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *shim) ask() wire.LoginStart {
	sum := sha256.Sum256([]byte(s.verifier))
	if s.code {
		return wire.LoginStart{
			ByCode: true, Challenge: base64.RawURLEncoding.EncodeToString(sum[:]), Stream: s.stream, Host: "ada-server", User: "ada", Force: true,
		}
	}
	return wire.LoginStart{
		Loopback: s.loopback.URL + s.path, Challenge: base64.RawURLEncoding.EncodeToString(sum[:]),
		Stream: s.stream, Host: "ada-laptop", User: "ada",
	}
}

// start begins or joins a login.
func (s *shim) start() wire.LoginStarted {
	s.r.t.Helper()
	if status, problem := s.post(wire.LoginStartPath, s.ask(), &s.started); status != http.StatusOK {
		s.r.t.Fatalf("starting answered %d %+v", status, problem)
	}
	return s.started
}

// finish waits for the browser, hands the ticket in and sends the browser on.
func (s *shim) finish() (wire.LoginFinished, wire.Problem) {
	s.r.t.Helper()
	var q url.Values
	select {
	case q = <-s.arrived:
	case <-time.After(time.Minute):
		s.r.t.Fatal("no browser came back")
	}
	var done wire.LoginFinished
	var problem wire.Problem
	for range 4 { // as the real one
		if _, problem = s.post(wire.LoginFinishPath, s.claim(q), &done); problem.Code != "unavailable" {
			break
		}
	}
	if page := done.Page + problem.Page; page != "" {
		s.answer <- page
	} else {
		s.answer <- s.r.url + "/login/none"
	}
	return done, problem
}

func (s *shim) claim(q url.Values) wire.LoginFinish {
	return wire.LoginFinish{Start: q.Get(wire.ParamStart), Ticket: q.Get(wire.ParamTicket), Verifier: s.verifier, OS: "linux", Version: "v1", KeyClass: "file"}
}

// person is somebody with a browser who does one thing at a time, or somebody
// with worse intentions. It follows no redirect.
type person struct {
	r       *rig
	cookies []*http.Cookie
	last    *http.Response // of the latest request; its body has been read
	page    string         // that body
}

// do sends a request with the cookies so far.
func (p *person) do(method, address string, form url.Values, header http.Header) (status int, body string) {
	p.r.t.Helper()
	var content io.Reader = http.NoBody
	if form != nil {
		content = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, address, content)
	if err != nil {
		p.r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	for _, c := range p.cookies {
		req.AddCookie(c)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.r.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.r.t.Fatal(err)
	}
	_ = res.Body.Close()
	p.cookies = append(p.cookies, res.Cookies()...)
	p.last, p.page = res, string(text)
	return res.StatusCode, unstyled(string(text))
}

// unstyled takes the style sheet out of a page, which nobody wants to read in
// a failure.
func unstyled(page string) string {
	before, rest, _ := strings.Cut(page, "<style>")
	_, after, _ := strings.Cut(rest, "</style>")
	return before + after
}

func (p *person) get(address string) (int, string) {
	p.r.t.Helper()
	return p.do(http.MethodGet, address, nil, nil)
}

// click opens a login's page and presses one of its buttons.
func (p *person) click(page, button string, header http.Header) (int, string) {
	p.r.t.Helper()
	_, text := p.get(page)
	form := between(text, `name="form" value="`, `"`)
	return p.do(http.MethodPost, page+"/"+button, url.Values{"form": {form}}, header)
}

// friendly wants the latest answer to be a page of ours that says what happened
// and what to do.
func (p *person) friendly(text string) {
	p.r.t.Helper()
	if kind := p.last.Header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
		p.r.t.Errorf("the page is of the kind %q", kind)
	}
	for _, part := range []string{"<h1", "Coatcheck", "<footer>"} {
		if !strings.Contains(text, part) {
			p.r.t.Errorf("there is no %s on the page:\n%s", part, text)
		}
	}
}

// between cuts out of text what stands between two others.
func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, after)
	return html.UnescapeString(text)
}

// state is the state on the way to Atlassian.
func state(t testing.TB, onward string) string {
	t.Helper()
	u, err := url.Parse(between(onward, `class="primary" href="`, `"`))
	if err != nil || u.Query().Get("state") == "" {
		t.Fatalf("no way to Atlassian on %s", onward)
	}
	return u.Query().Get("state")
}

// consent clicks through all pages, beside whoever finishes.
func (r *rig) consent(address, person string, allow bool) <-chan string {
	r.t.Helper()
	page := make(chan string, 1)
	go func() {
		text, err := browser.New().Consent(r.t.Context(), address, browser.Choose{Person: person, Allow: allow})
		if err != nil {
			text += fmt.Sprint(" ERROR ", err)
		}
		page <- unstyled(text)
	}()
	return page
}

func wait(t testing.TB, page <-chan string) string {
	t.Helper()
	select {
	case text := <-page:
		return text
	case <-time.After(time.Minute):
		t.Fatal("the browser did not come to an end")
		return ""
	}
}
