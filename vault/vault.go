package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/retain"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/here"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/keyring"
	"github.com/coatcheck-mcp/coatcheck/vault/network"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/signin"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
	"github.com/coatcheck-mcp/coatcheck/vault/tools"
)

// nonceLife is how long a DPoP nonce can be used (RFC 9449 §8).
const nonceLife = time.Minute

// Config is what a vault is made from. Settings and Log are required.
type Config struct {
	Settings *settings.Settings
	Log      *slog.Logger
	Version  string
	// User is the user of the operating system who gives a command; for
	// records of [Admin].
	User string

	// Reload reads the settings anew while the vault runs, and Stamp tells one
	// text of them from another. Optional: without them nothing changes. Again
	// asks for a look at once, and Level, if not nil, is that of Log.
	Reload func() (*settings.Settings, error)
	Stamp  func() (string, error)
	Again  <-chan struct{}
	Level  *slog.LevelVar
	// PDF reads the text of PDF files, apart from this process; see package
	// extract/pdf. Optional.
	PDF func(ctx context.Context, data []byte) (string, error)
}

// assembly is a vault whose parts are wired and not yet running.
type assembly struct {
	cfg       Config
	log       *slog.Logger
	db        *store.DB
	sessions  *session.Keeper
	audit     *audit.Log
	evidence  *evidence.Keeper // of audit
	notary    *audit.Notary    // once it runs; nil without checkpoints
	retention *retain.Keeper   // once it runs; nil where records are kept for ever
	desk      *admin.Desk
	began     time.Time
	grants    *grant.Keeper
	gateway   *gateway.Gateway
	consents  *consent.Desk // of sign-ins under way
	signin    *signin.Handler
	company   *company.Keeper // of its sign-ins; nil without
	anomalies anomalies
	apps      map[identity.TenantID]*atlassian.App
	checks    []check
	address   func(*http.Request) netip.Addr // of a client
	nonces    *dpop.Nonces                   // of the proofs of devices
	verifier  *dpop.Verifier
	policy    atomic.Pointer[policy.Policy] // see rules
}

// keys are the vault's own keys, all wrapped by the key-encryption key.
type keys struct {
	kek                    seal.KEK
	journal, cursor, login *seal.Box
	signIn                 *seal.Box // nil without the company's sign-in
	nonce                  []byte
}

// assemble opens the store and the keys and wires everything. Whoever gets an
// assembly closes it.
func assemble(ctx context.Context, cfg Config) (v *assembly, err error) {
	s := cfg.Settings
	db, err := store.Open(ctx, s.Store.Address().Reveal(), s.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	keys, err := openKeys(ctx, s, db)
	if err != nil {
		return nil, err
	}
	v = &assembly{cfg: cfg, log: cfg.Log, db: db, began: time.Now()}
	v.sessions = session.New(session.Config{Store: db, Idle: s.Identity.Session.Idle, Absolute: s.Identity.Session.Absolute})
	v.evidence = evidence.New(evidence.Config{
		Settings: s, Store: db, KEK: func(context.Context) (seal.KEK, error) { return keys.kek, nil }, KeyError: keyErrors(s), Log: cfg.Log,
	})
	if err := v.evidence.Open(ctx); err != nil {
		return nil, err
	}
	v.audit = v.evidence.Log()
	if err := v.connect(ctx, keys); err != nil {
		return nil, err
	}
	v.checks = []check{{"store", db.Ready}, {"keys", sparing(keysAskedEvery, keysWork(keys.kek, db))}}
	return v, nil
}

// openKeys never makes a new key-encryption key while the store holds
// something that only the old one opens.
func openKeys(ctx context.Context, s *settings.Settings, db *store.DB) (keys, error) {
	var k keys
	ring, err := keyring.Open(ctx, s, db, true)
	if err != nil {
		return k, err
	}
	k.kek = ring
	boxes := map[string]**seal.Box{"journal": &k.journal, "cursor": &k.cursor, "login": &k.login}
	if s.Identity.OIDC.On() {
		boxes["signin"] = &k.signIn
	}
	for purpose, box := range boxes {
		if *box, err = seal.Vault(ctx, k.kek, db, purpose); err != nil {
			return k, keyError(purpose, s.Keys.KEK, err)
		}
	}
	if k.nonce, err = seal.VaultSecret(ctx, k.kek, db, "nonce"); err != nil {
		return k, keyError("nonce", s.Keys.KEK, err)
	}
	return k, nil
}

func keyError(purpose, kek string, err error) error {
	if errors.Is(err, seal.ErrOpen) || errors.Is(err, seal.ErrNoKey) {
		return usererr.Wrap(err, usererr.Settings, "The key-encryption key "+kek+" does not open what is in the store: it is another key than the one that sealed it",
			"Put the right key back, or name the right store. Nothing was overwritten")
	}
	return fmt.Errorf("opening the vault's %s key: %w", purpose, err)
}

func keyErrors(s *settings.Settings) func(purpose string, err error) error {
	return func(purpose string, err error) error { return keyError(purpose, s.Keys.KEK, err) }
}

// connect makes the parts that need no I/O but for keys.
func (v *assembly) connect(ctx context.Context, k keys) error {
	s := v.cfg.Settings
	client, err := network.Egress(s)
	if err != nil {
		return err
	}
	proxies, err := s.Network.Proxies()
	if err != nil {
		return err
	}
	v.address = network.ClientAddress(proxies)
	rules, err := policy.New(s.Rules())
	if err != nil {
		return err
	}
	v.policy.Store(rules)
	if v.apps, err = apps(s, client); err != nil {
		return err
	}
	v.grants, err = grant.New(grant.Config{
		Store: v.db, Refreshes: v.db, KEK: k.kek, Refresher: atlassian.Refresher{App: v.app}, Event: v.grantEvent, Log: v.log,
		Strategy: func(t identity.TenantID) grant.Strategy { return grant.Strategy(s.Tenants[string(t)].OAuth.Refresh) },
	})
	if err != nil {
		return err
	}
	v.administer(k.kek)
	if err := v.watchPeople(ctx, k.kek, client); err != nil {
		return err
	}
	v.nonces = dpop.NewNonces(k.nonce, nonceLife)
	v.verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: v.nonces, Replay: v.db})
	v.gateway = gateway.New(gateway.Config{
		Sessions: v.sessions, Verifier: v.verifier, Nonces: v.nonces, PublicURL: s.Network.PublicURL, Version: v.cfg.Version, Log: v.log,
		Moved: v.grants.Purge, Moves: v.db.Moves, LoginEnded: v.loginEnded, Address: v.address, Refused: v.refused(),
		Lost: v.lost,
	})
	if err := v.wireCompany(k, client); err != nil {
		return err
	}
	door := guard.New(guard.Config{
		Policy: v.rules, Grants: v.grants, Audit: v.recorder(), Journal: v.db,
		JournalBox: k.journal, CursorBox: k.cursor, HTTP: client, Bulk: network.Bulk(client),
		APIBase: func(t identity.TenantID) string { return s.Tenants[string(t)].OAuth.Endpoints.API },
		Live:    v.gateway.Live, StepUp: v.stepUp, Who: v.who, Agent: "coatcheck-vault/" + v.cfg.Version, Log: v.log,
	})
	v.gateway.Serve(tools.New(tools.Config{Door: door, Version: v.cfg.Version, SignIn: v.gateway, Computer: here.Computer{}, PDF: v.cfg.PDF, Log: v.log, Toolsets: s.Features.Toolsets}))
	return v.wireSignIn(k)
}

// apps makes each tenant's OAuth app.
func apps(s *settings.Settings, client *http.Client) (map[identity.TenantID]*atlassian.App, error) {
	all := map[identity.TenantID]*atlassian.App{}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(s.Tenants)) {
		t := s.Tenants[name]
		var sites []atlassian.Site
		for _, key := range slices.Sorted(maps.Keys(t.Sites)) {
			sites = append(sites, atlassian.Site{Name: key, URL: t.Sites[key].BaseURL})
		}
		app, err := atlassian.New(atlassian.Config{
			ClientID: t.OAuth.ClientID, ClientSecret: t.OAuth.Secret, Scopes: t.OAuth.Scopes,
			Redirect: s.Network.PublicURL + "/callback/" + name, Sites: sites, HTTP: client,
			Authorize: t.OAuth.Endpoints.Authorize, Token: t.OAuth.Endpoints.Token, API: t.OAuth.Endpoints.API,
		})
		if err != nil {
			problems = append(problems, fmt.Errorf("tenant %s: %w", name, err))
			continue
		}
		all[identity.TenantID(name)] = app
	}
	return all, errors.Join(problems...)
}

func (v *assembly) app(tenant identity.TenantID) (*atlassian.App, bool) {
	app, ok := v.apps[tenant]
	return app, ok
}

// grantEvent puts what happens to grants on record.
func (v *assembly) grantEvent(ctx context.Context, e grant.Event) error {
	outcome := "ok"
	if e.Kind == grant.EventRefused {
		outcome = "error"
	}
	return v.audit.Record(ctx, audit.Entry{
		Time: e.Time, Event: string(e.Kind), Outcome: outcome, Tenant: e.Tenant, Person: e.Person, Grant: e.Grant, Detail: e.Detail,
	})
}

// who describes a sign-in to the person who signed in.
func (v *assembly) who(ctx context.Context, caller identity.Caller) (guard.Who, error) {
	s, err := v.sessions.Current(ctx, caller.Device)
	if err != nil {
		return guard.Who{}, err
	}
	until := s.Until
	if s.IdleUntil.Before(until) {
		until = s.IdleUntil
	}
	devices, err := v.devices(ctx, s)
	return guard.Who{Name: s.Shown.Name, Until: until, Devices: devices}, err
}

// wireSignIn makes the sign-in, which needs nearly everything else.
func (v *assembly) wireSignIn(k keys) error {
	cfg := consent.DeskConfig{
		Logins: v.db, Starts: v.db, Box: k.login, Grants: v.grants,
		Tenants: func() []identity.TenantID { return slices.Sorted(maps.Keys(v.apps)) },
		App:     v.app, Alive: v.gateway.Alive, SignedIn: v.signedIn,
		ByCode: func(t identity.TenantID) bool { return v.cfg.Settings.Tenants[string(t)].SignInByCode },
	}
	var company signin.Company // nil, and not a nil keeper, without one
	if v.company != nil {
		cfg.Company, cfg.StepUp, company = v.company, v.company.Wanted, v.company
	}
	v.consents = consent.NewDesk(cfg)
	var err error
	v.signin, err = signin.New(signin.Config{
		Desk: v.consents, Company: company, Sessions: v.sessions, Audit: v.recorder(), Streams: v.gateway, Verifier: v.verifier, Nonces: v.nonces,
		PublicURL: v.cfg.Settings.Network.PublicURL, Log: v.log, Address: v.address, Everywhere: v.everywhere, Refused: v.refused(),
	})
	return err
}

// signedIn reports whether somebody is signed in on a device.
func (v *assembly) signedIn(ctx context.Context, device identity.DeviceID) (bool, error) {
	_, err := v.sessions.Current(ctx, device)
	if errors.Is(err, session.ErrNone) {
		return false, nil
	}
	return err == nil, err
}
