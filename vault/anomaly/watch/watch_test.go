package watch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/watch"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

// box seals nothing, and only opens what was sealed for the same place.
type box struct{}

func (box) Seal(plain []byte, aad seal.AAD) ([]byte, error) {
	return append([]byte(aad.Person+"\x00"), plain...), nil
}

func (box) Open(sealed []byte, aad seal.AAD) ([]byte, error) {
	if who, plain, ok := bytes.Cut(sealed, []byte{0}); ok && string(who) == aad.Person {
		return plain, nil
	}
	return nil, seal.ErrOpen
}

type grants struct{}

func (grants) Token(context.Context, identity.PersonID, identity.TenantID) (grant.Token, error) {
	return grant.Token{Value: secret.New("t"), Grant: "g_1", Sites: []grant.Site{{Name: "acme", CloudID: "c1", URL: "https://acme.atlassian.net"}}}, nil
}

func (g grants) Rejected(ctx context.Context, _ grant.Token) (grant.Token, error) {
	return g.Token(ctx, "", "")
}

func (grants) Describe(context.Context, identity.PersonID, identity.TenantID) (grant.Grant, error) {
	return grant.Grant{}, nil
}

// replica is a vault's watch and door over a store.
type replica struct {
	watch *watch.Watch
	door  *guard.Door
	stop  func()

	mu   sync.Mutex
	acts []anomaly.Alarm // guarded by mu
}

func newReplica(t *testing.T, db *store.DB, log *slog.Logger) *replica {
	t.Helper()
	r := &replica{}
	rules := anomaly.Defaults()
	rules.Denials = anomaly.Repeated{Action: anomaly.Suspend, Count: 3, Within: 10 * time.Minute}
	records := audit.New(audit.Config{Sink: db})
	r.watch = watch.New(watch.Config{
		Rules: rules, Key: []byte("0123456789abcdef"), Store: db, Box: box{}, Audit: records, Current: session.New(session.Config{Store: db}).Current,
		Acts: map[anomaly.Action]watch.Act{anomaly.Suspend: func(_ context.Context, e audit.Entry, a anomaly.Alarm) (string, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.acts = append(r.acts, a)
			return "done to " + string(e.Person), nil
		}},
		Log: log,
	})
	p, err := policy.New(policy.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	r.door = guard.New(guard.Config{
		Policy: func() *policy.Policy { return p }, Grants: grants{}, Audit: r.watch.Beside(records), Journal: db, JournalBox: box{}, CursorBox: box{},
		HTTP: http.DefaultClient, APIBase: func(identity.TenantID) string { return "https://api.example" },
		Live: func(context.Context, identity.Caller) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.watch.Run(ctx) })
	r.stop = func() { cancel(); running.Wait() }
	t.Cleanup(r.stop)
	return r
}

func (r *replica) alarms() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.acts)
}

// denied makes a call that policy denies.
func (r *replica) denied(t *testing.T) {
	t.Helper()
	ctx := identity.With(t.Context(), identity.Caller{Person: "p_ada", Tenant: "acme", Device: "d1", Session: "s1", Stream: "x", Call: "1", Address: "198.51.100.7"})
	_, err := guard.Do(ctx, r.door, guard.Op[string]{Tool: "confluence_get_page", Run: func(context.Context, *guard.Wiki) (string, error) { return "", policy.ErrDenied }})
	if err == nil {
		t.Fatal("it was not denied")
	}
}

func anomalies(t *testing.T, db *store.DB) []audit.Entry {
	t.Helper()
	all, err := db.AuditRead(t.Context(), "acme", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var found []audit.Entry
	for _, r := range all {
		if e, err := r.Entry(); err == nil && e.Event == watch.Event {
			found = append(found, e)
		}
	}
	return found
}

// TestThroughTheDoor: calls through the guard lead to one alarm, at whichever
// replica, with its record; and a vault that starts anew knows of it.
func TestThroughTheDoor(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "vault.db"), "postgres": testenv.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), url, "")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			var text bytes.Buffer
			log := slog.New(slog.NewTextHandler(&text, nil))
			one := newReplica(t, db, log)
			for range 2 {
				one.denied(t)
			}
			one.stop()
			if len(anomalies(t, db)) != 0 {
				t.Fatal("an alarm after two denials")
			}
			two, three := newReplica(t, db, log), newReplica(t, db, log)
			for range 4 {
				two.denied(t)
				three.denied(t)
			}
			two.stop()
			three.stop()
			four := newReplica(t, db, log)
			four.denied(t)
			four.stop()
			found := anomalies(t, db)
			if len(found) != 1 || two.alarms()+three.alarms()+four.alarms() != 1 {
				t.Fatalf("%d records, %d + %d + %d alarms", len(found), two.alarms(), three.alarms(), four.alarms())
			}
			e := found[0]
			if e.Code != "denials" || e.Person != "p_ada" || e.Session != "s1" || e.Address != "198.51.100.7" || !strings.Contains(e.Detail, "calls were denied within 10 min, from 3 on; suspend: done to p_ada") {
				t.Errorf("the record is %+v", e)
			}
			if !strings.Contains(text.String(), "something unusual") {
				t.Errorf("the log: %s", &text)
			}
			row, err := db.HistoryGet(t.Context(), "p_ada")
			if err != nil || len(row.Sealed) > anomaly.MaxBlob+100 {
				t.Errorf("the row: %d bytes, %v", len(row.Sealed), err)
			}
		})
	}
}

// memory is a store that counts.
type memory struct {
	mu    sync.Mutex
	rows  map[identity.PersonID]watch.Row
	saves []time.Time
	fails error
}

func (m *memory) HistoryGet(_ context.Context, id identity.PersonID) (watch.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.rows[id]; ok || m.fails != nil {
		return r, m.fails
	}
	return watch.Row{}, watch.ErrNone
}

func (m *memory) HistorySave(_ context.Context, r watch.Row, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return m.fails
	}
	if m.rows[r.Person].Version != r.Version {
		return watch.ErrMoved
	}
	r.Version++
	m.rows[r.Person] = r
	m.saves = append(m.saves, at)
	return nil
}

func (m *memory) HistoryTidy(context.Context, time.Time) error { return m.fails }

type records struct {
	mu  sync.Mutex
	all []audit.Entry
}

func (r *records) Record(_ context.Context, e audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	return nil
}

func (r *records) rules() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.all {
		all = append(all, e.Code)
	}
	return all
}

func inTime(t *testing.T, test func(t *testing.T, w *watch.Watch, m *memory, r *records, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, r := &memory{rows: map[identity.PersonID]watch.Row{}}, &records{}
		w := watch.New(watch.Config{
			Rules: anomaly.Defaults(), Key: []byte("0123456789abcdef"), Store: m, Box: box{}, Audit: r, Log: slog.New(slog.DiscardHandler),
			Current: func(_ context.Context, d identity.DeviceID) (session.Session, error) {
				if d == "d_ada" {
					return session.Session{ID: "s_ada", Person: "p_ada", Tenant: "acme"}, nil
				}
				return session.Session{}, session.ErrNone
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = w.Run(ctx); close(done) }()
		stop := func() { cancel(); <-done }
		test(t, w, m, r, stop)
		stop()
	})
}

// settle lets time pass, and everything happen that is due by then.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func call(person string) audit.Entry {
	return audit.Entry{Time: time.Now(), Event: "call", Outcome: "ok", Tenant: "acme", Person: identity.PersonID(person), Address: "198.51.100.7"}
}

// TestOnceAMinute: a person who is busy all the time is stored once a minute,
// and what is left at the end.
func TestOnceAMinute(t *testing.T) {
	inTime(t, func(t *testing.T, w *watch.Watch, m *memory, _ *records, stop func()) {
		for range 600 {
			w.Observe(call("p_ada"))
			settle(time.Second)
		}
		if n := len(m.saves); n < 8 || n > 10 {
			t.Errorf("%d saves in ten minutes", n)
		}
		for i := 1; i < len(m.saves); i++ {
			if m.saves[i].Sub(m.saves[i-1]) < time.Minute {
				t.Errorf("saves at %v and %v", m.saves[i-1], m.saves[i])
			}
		}
		w.Observe(call("p_bob"))
		stop()
		if _, err := m.HistoryGet(t.Context(), "p_bob"); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
}

// TestASilentStore: alarms go on, and once it is back it has everything.
func TestASilentStore(t *testing.T) {
	inTime(t, func(t *testing.T, w *watch.Watch, m *memory, r *records, _ func()) {
		m.fails = errors.New("down")
		for range 6 {
			w.Refused("d_ada", "203.0.113.1")
			w.Refused("d_nobody", "203.0.113.1")
		}
		settle(2 * time.Hour)
		if got := r.rules(); !slices.Equal(got, []string{"failures"}) || r.all[0].Person != "p_ada" || r.all[0].Session != "s_ada" {
			t.Errorf("alarms: %+v", r.all)
		}
		m.mu.Lock()
		m.fails = nil
		m.mu.Unlock()
		w.Observe(call("p_ada"))
		settle(2 * time.Minute)
		if row, err := m.HistoryGet(t.Context(), "p_ada"); err != nil || row.Version != 1 {
			t.Errorf("stored: %+v, %v", row, err)
		}
	})
}

// TestWhatIsObserved: lists are not read, and what is not about what a person
// does is nothing.
func TestWhatIsObserved(t *testing.T) {
	inTime(t, func(t *testing.T, w *watch.Watch, m *memory, r *records, _ func()) {
		many := call("p_ada")
		for range 200 {
			many.Objects = append(many.Objects, "page:"+identity.NewID("")+"@ENG")
		}
		many.Tool = "confluence_search"
		w.Observe(many)
		for _, event := range []string{"grant.refreshed", "anomaly", "session.revoked", "admin.look"} {
			e := call("p_cy")
			e.Event = event
			w.Observe(e)
		}
		w.Observe(audit.Entry{Time: time.Now(), Event: "call"})
		settle(2 * time.Minute)
		if len(r.rules()) > 0 || len(m.rows) != 1 {
			t.Errorf("%v, %d people", r.rules(), len(m.rows))
		}
		many.Tool, many.Time = "confluence_get_page", time.Now()
		w.Observe(many)
		settle(time.Second)
		if got := r.rules(); !slices.Equal(got, []string{"mass_reading"}) {
			t.Errorf("alarms: %v", got)
		}
	})
}

// TestADamagedHistory is learnt anew.
func TestADamagedHistory(t *testing.T) {
	inTime(t, func(t *testing.T, w *watch.Watch, m *memory, r *records, _ func()) {
		m.rows["p_ada"] = watch.Row{Person: "p_ada", Sealed: []byte("nonsense"), Version: 7}
		m.rows["p_bob"] = watch.Row{Person: "p_bob", Sealed: []byte("p_bob\x00nonsense"), Version: 7}
		w.Observe(call("p_ada"))
		w.Observe(call("p_bob"))
		settle(2 * time.Minute)
		if m.rows["p_ada"].Version != 8 || m.rows["p_bob"].Version != 8 || len(r.rules()) > 0 {
			t.Errorf("%v, alarms %v", m.rows, r.rules())
		}
	})
}

// TestCallsDoNotWait: with nobody who looks, what is too much is dropped and
// counted.
func TestCallsDoNotWait(t *testing.T) {
	w := watch.New(watch.Config{Rules: anomaly.Defaults(), Log: slog.New(slog.DiscardHandler)})
	began := time.Now()
	for range 5000 {
		w.Observe(call("p_ada"))
	}
	if w.Dropped() != 5000-4096 || time.Since(began) > 5*time.Second {
		t.Errorf("%d dropped in %v", w.Dropped(), time.Since(began))
	}
}
