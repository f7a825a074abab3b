package guard_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// rig is a door whose surroundings do what a test says.
type rig struct {
	*guard.Door
	log bytes.Buffer

	mu       sync.Mutex
	rules    policy.Rules
	audited  []audit.Entry
	auditErr error
	live     func() error
	stepUp   func(tool string) error // nil where no tool needs one
	token    func() (grant.Token, error)
	rejected int
	journal  memory
	asked    []string // paths and queries, as sent to Confluence
	answers  map[string]string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{answers: map[string]string{}, live: func() error { return nil }}
	r.rules.Access.DeniedSpaces = []string{"LEGAL"}
	r.token = func() (grant.Token, error) {
		return grant.Token{Value: secret.New("t"), Grant: "g_1", Sites: []grant.Site{{Name: "acme", CloudID: "c1", URL: "https://acme.atlassian.net"}}}, nil
	}
	r.Door = guard.New(guard.Config{
		Policy: func() *policy.Policy {
			p, err := policy.New(r.rules)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Grants: grants{r}, Audit: auditor{r}, Journal: &r.journal, JournalBox: box{}, CursorBox: box{},
		HTTP: &http.Client{Transport: r}, APIBase: func(identity.TenantID) string { return "https://api.example" },
		Live: func(context.Context, identity.Caller) error { return r.live() },
		StepUp: func(_ context.Context, _ identity.Caller, tool string) error {
			if r.stepUp == nil {
				return nil
			}
			return r.stepUp(tool)
		},
		Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	return r
}

// RoundTrip answers with the text that a test has for a path; what it has not
// is not found. "!" means that the connection breaks, a number is a status.
func (r *rig) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(req.URL.Path, "/ex/confluence/c1/wiki")
	r.mu.Lock()
	r.asked = append(r.asked, req.Method+" "+path+"?"+req.URL.RawQuery)
	text, ok := r.answers[req.Method+" "+path]
	r.mu.Unlock()
	status := 200
	switch {
	case !ok:
		status, text = 404, "{}"
	case text == "!":
		return nil, io.ErrUnexpectedEOF
	case len(text) == 3:
		_, _ = fmt.Sscan(text, &status)
		text = "{}"
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: req}, nil
}

type grants struct{ *rig }

func (g grants) Token(context.Context, identity.PersonID, identity.TenantID) (grant.Token, error) {
	return g.token()
}

func (g grants) Rejected(context.Context, grant.Token) (grant.Token, error) {
	g.rejected++
	return g.token()
}

func (g grants) Describe(context.Context, identity.PersonID, identity.TenantID) (grant.Grant, error) {
	return grant.Grant{ID: "g_1", State: grant.Live}, nil
}

type auditor struct{ *rig }

func (a auditor) Record(ctx context.Context, e audit.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.auditErr == nil {
		a.audited = append(a.audited, e)
	}
	return errors.Join(a.auditErr, ctx.Err())
}

func (r *rig) last(t *testing.T) audit.Entry {
	t.Helper()
	if len(r.audited) == 0 {
		t.Fatal("nothing is on record")
	}
	return r.audited[len(r.audited)-1]
}

// box stands for a seal: it opens only where it was sealed.
type box struct{}

func (box) Seal(plain []byte, aad seal.AAD) ([]byte, error) {
	return json.Marshal([]string{fmt.Sprint(aad), base64.StdEncoding.EncodeToString(plain)})
}

func (box) Open(sealed []byte, aad seal.AAD) ([]byte, error) {
	var parts []string
	if json.Unmarshal(sealed, &parts) != nil || len(parts) != 2 || parts[0] != fmt.Sprint(aad) {
		return nil, seal.ErrOpen
	}
	return base64.StdEncoding.DecodeString(parts[1])
}

// memory is a call journal.
type memory struct {
	mu      sync.Mutex
	all     map[journal.Key]journal.Entry
	failing string        // the method that fails
	hold    chan struct{} // if not nil, a write is noted once this is closed
	cleaned int
}

func (m *memory) has(key journal.Key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.all[key]
	return ok
}

func (m *memory) fails(method string) error {
	if m.failing == method {
		return errors.New("SECRET-INTERNAL: the disk is full")
	}
	return nil
}

func (m *memory) JournalStart(_ context.Context, e journal.Entry, replace bool) (journal.Entry, bool, error) {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing == "start, with a panic" {
		panic("a bug")
	}
	if m.all == nil {
		m.all = map[journal.Key]journal.Entry{}
	}
	if old, ok := m.all[e.Key]; ok && (!replace || !old.Started.Before(e.Started)) {
		return old, false, m.fails("start")
	}
	m.all[e.Key] = e
	return e, true, m.fails("start")
}

func (m *memory) JournalFinish(ctx context.Context, key journal.Key, started time.Time, result []byte, record func(context.Context)) error {
	record(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fails("finish"); err != nil {
		return err
	}
	if e, ok := m.all[key]; ok && e.Started.Equal(started) {
		e.Result = result
		m.all[key] = e
	}
	return nil
}

func (m *memory) JournalDrop(_ context.Context, key journal.Key, started time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.all[key]; ok && e.Started.Equal(started) && e.Result == nil {
		delete(m.all, key)
	}
	return m.fails("drop")
}

func (m *memory) JournalClean(_ context.Context, before time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cleaned++
	for key, e := range m.all {
		if e.Started.Before(before) {
			delete(m.all, key)
		}
	}
	return 0, m.fails("clean")
}

func ada() identity.Caller {
	return identity.Caller{Person: "p_ada", Tenant: "acme", Device: "d", Session: "s_1", Stream: "st", Call: "7", Address: "192.0.2.1"}
}

func as(t testing.TB, caller identity.Caller) context.Context {
	return identity.With(t.Context(), caller)
}

// again is a context in which ada's call is sent again.
func again(t testing.TB) context.Context {
	caller := ada()
	caller.Replayed = true
	return as(t, caller)
}

// text is what a model would read of err.
func text(err error) string { return usererr.Text(err, "") }
