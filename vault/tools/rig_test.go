package tools_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/tools"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// rig is the tools over a real door and a simulated Confluence, all in memory;
// what stands around the door is small and can be made to fail.
type rig struct {
	t      testing.TB
	sim    *atlassiansim.Sim
	door   *guard.Door
	server *mcp.Server
	log    bytes.Buffer

	mu       sync.Mutex
	caller   identity.Caller // who calls next
	person   string          // whose token the grant has
	policy   *policy.Policy
	sites    []grant.Site
	scopes   []string
	toolsets []string
	computer tool.Computer     // nil without one
	token    map[string]string // by person
	audited  []audit.Entry
	auditErr error
	liveErr  error
	grantErr error
	awaits   int
	awaitErr error
	hook     func(point string) // called at each step of a call
	noted    chan struct{}      // closed once the next write is noted, and awaited by requests; nil for neither
	dead     atomic.Bool        // killed by the hook: nothing of this vault does anything any more
	requests []string
	journal  *notes
	doorHTTP *http.Client // how the door reaches Confluence
}

func allScopes() []string {
	return []string{
		"read:page:confluence", "write:page:confluence", "read:space:confluence", "read:user:confluence",
		"read:content-details:confluence", "search:confluence", "delete:page:confluence",
		"read:hierarchical-content:confluence", "read:content.metadata:confluence", "read:template:confluence",
		"read:attachment:confluence", "write:attachment:confluence", "delete:attachment:confluence", "read:comment:confluence", "write:comment:confluence", "delete:comment:confluence", "read:label:confluence", "write:label:confluence",
		"read:group:confluence", "write:space:confluence",
	}
}

func newRig(t testing.TB, opt atlassiansim.Options) *rig {
	t.Helper()
	opt.Apps = []atlassiansim.App{{ClientID: "app", Secret: "s", Name: "Coatcheck", Callback: "http://127.0.0.1/cb"}}
	r := &rig{t: t, sim: atlassiansim.New(opt), person: "ada", scopes: allScopes(), token: map[string]string{}, journal: newNotes()}
	r.journal.rig, r.doorHTTP = r, &http.Client{Transport: r}
	r.sites = []grant.Site{{Name: "acme", CloudID: r.sim.CloudID("acme"), URL: r.sim.SiteURL("acme")}}
	r.caller = signedIn("p_ada")
	r.deny("LEGAL")
	r.start()
	return r
}

func signedIn(person identity.PersonID) identity.Caller {
	return identity.Caller{Person: person, Tenant: "acme", Device: "device", Session: "s_1", Stream: "stream", Address: "127.0.0.1"}
}

// start makes a vault: nothing of an older one is left but the journal.
func (r *rig) start() {
	r.dead.Store(false)
	r.door = guard.New(guard.Config{
		Policy: func() *policy.Policy { return r.policy }, Grants: grants{r}, Audit: auditor{r}, Journal: r.journal,
		JournalBox: box{}, CursorBox: box{}, HTTP: r.doorHTTP,
		APIBase: func(identity.TenantID) string { return "https://api.atlassian.example" },
		Live:    func(context.Context, identity.Caller) error { r.at("live"); return r.liveErr },
		Who: func(context.Context, identity.Caller) (guard.Who, error) {
			return guard.Who{Name: "Ada Berger", Until: time.Now().Add(time.Hour), Devices: []guard.Device{
				{Here: true, Host: "laptop", Platform: "linux", Version: "v1", KeyClass: "keychain", Created: time.Now(), Used: time.Now()}, {Host: "desk", Created: time.Now().Add(-time.Hour)},
			}}, nil
		},
		Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	r.server = tools.New(tools.Config{Door: r.door, Version: "v1.2.3", SignIn: signIn{r}, Toolsets: r.toolsets, Computer: r.computer, Log: slog.New(slog.NewTextHandler(&r.log, nil))})
	r.server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (result mcp.Result, err error) {
			defer func() {
				if end := recover(); end == errKilled {
					err = errKilled
				} else if end != nil {
					panic(end)
				}
			}()
			if !strings.HasPrefix(method, "notifications/") { // for which nobody waits: the caller may be another by now
				ctx = identity.With(ctx, r.caller)
			}
			return next(ctx, method, req)
		}
	})
}

func (r *rig) deny(spaces ...string) {
	r.t.Helper()
	var err error
	if r.policy, err = policy.New(policy.Rules{Access: policy.Access{DeniedSpaces: spaces}}); err != nil {
		r.t.Fatal(err)
	}
}

// errKilled is how a hook ends a call as if its vault had been killed.
var errKilled = errors.New("killed")

func (r *rig) at(point string) {
	if r.hook == nil || r.dead.Load() {
		return
	}
	defer func() {
		if end := recover(); end != nil {
			r.dead.Store(true)
			panic(end)
		}
	}()
	r.hook(point)
}

// RoundTrip is the network: the simulated Atlassian answers in memory.
func (r *rig) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	if r.noted != nil {
		<-r.noted
	}
	r.at("ask " + req.Method)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		switch end := recover(); end {
		case nil:
		case http.ErrAbortHandler:
			resp, err = nil, io.ErrUnexpectedEOF
		default:
			panic(end)
		}
		status := 0
		if resp != nil {
			status = resp.StatusCode
		}
		r.mu.Lock()
		r.requests = append(r.requests, fmt.Sprintf("%s %s => %d", req.Method, strings.TrimPrefix(req.URL.RequestURI(), "/ex/confluence/"+r.sites[0].CloudID+"/wiki"), status))
		r.mu.Unlock()
	}()
	req = req.Clone(req.Context())
	req.TLS = &tls.ConnectionState{}
	if req.Body == nil { // which a server never sees
		req.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	r.sim.ServeHTTP(w, req)
	r.at("answered " + req.Method)
	return w.Result(), nil
}

type grants struct{ *rig }

func (g grants) Token(_ context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.grantErr != nil {
		return grant.Token{}, g.grantErr
	}
	if g.token[g.person] == "" {
		g.token[g.person], _ = g.sim.MintToken(g.person, g.scopes)
	}
	return grant.Token{Value: secret.New(g.token[g.person]), Grant: "g_1", Person: person, Tenant: tenant, Sites: g.sites}, nil
}

func (g grants) Rejected(ctx context.Context, token grant.Token) (grant.Token, error) {
	g.mu.Lock()
	delete(g.token, g.person)
	g.mu.Unlock()
	return g.Token(ctx, token.Person, token.Tenant)
}

func (g grants) Describe(context.Context, identity.PersonID, identity.TenantID) (grant.Grant, error) {
	return grant.Grant{ID: "g_1", State: grant.Live, Sites: g.sites, Scopes: g.scopes, Expires: time.Now().Add(24 * time.Hour)}, g.grantErr
}

type auditor struct{ *rig }

func (a auditor) Record(ctx context.Context, e audit.Entry) error {
	if a.dead.Load() {
		return errKilled
	}
	a.at("audit")
	a.mu.Lock()
	err := a.auditErr
	if err == nil {
		a.audited = append(a.audited, e)
	}
	a.mu.Unlock()
	a.at("audited")
	return errors.Join(err, ctx.Err())
}

// box stands for a seal: it opens only where it was sealed, and hides nothing.
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

type signIn struct{ *rig }

func (s signIn) Await(ctx context.Context) (identity.Caller, error) {
	s.awaits++
	if s.awaitErr != nil {
		return identity.Caller{}, s.awaitErr
	}
	s.grantErr, s.liveErr = nil, nil
	was, _ := identity.From(ctx)
	now := signedIn("p_ada")
	now.Call, now.Replayed = was.Call, was.Replayed
	s.caller = now
	return now, nil
}

func (s signIn) Start(context.Context) (tools.SignInState, error) {
	return tools.SignInState{Open: true, URL: "https://vault.example/login/1", Message: "It opens on this computer."}, s.awaitErr
}

// notes are a call journal in memory.
type notes struct {
	mu  sync.Mutex
	all map[journal.Key]journal.Entry
	rig *rig
	err error
}

func newNotes() *notes { return &notes{all: map[journal.Key]journal.Entry{}} }

func (j *notes) at(point string) {
	if j.rig != nil {
		j.rig.at(point)
	}
}

func (j *notes) JournalStart(_ context.Context, e journal.Entry, replace bool) (journal.Entry, bool, error) {
	if j.rig != nil && j.rig.noted != nil {
		defer close(j.rig.noted)
	}
	j.at("journal start")
	j.mu.Lock()
	old, ok := j.all[e.Key]
	if j.err != nil || ok && (!replace || !old.Started.Before(e.Started)) {
		j.mu.Unlock()
		return old, false, j.err
	}
	j.all[e.Key] = e
	j.mu.Unlock()
	j.at("journal started")
	return e, true, nil
}

func (j *notes) JournalFinish(ctx context.Context, key journal.Key, started time.Time, result []byte, record func(context.Context)) error {
	j.at("journal finish")
	j.mu.Lock()
	e, ok := j.all[key]
	if ok && e.Started.Equal(started) {
		e.Result = result
		j.all[key] = e
	}
	j.mu.Unlock()
	j.at("journal finished")
	record(ctx)
	return j.err
}

func (j *notes) JournalDrop(_ context.Context, key journal.Key, started time.Time) error {
	j.mu.Lock()
	if e, ok := j.all[key]; ok && e.Started.Equal(started) && e.Result == nil {
		delete(j.all, key)
	}
	j.mu.Unlock()
	j.at("journal dropped")
	return j.err
}

func (j *notes) JournalClean(context.Context, time.Time) (int64, error) { return 0, nil }

// client is an MCP client that speaks raw messages.
type client struct {
	r    *rig
	conn mcp.Connection
	next int
}

func (r *rig) connect() *client { return r.connectAs("{}") }

// connectAs is connect for a client with capabilities.
func (r *rig) connectAs(capabilities string) *client {
	r.t.Helper()
	near, far := mcp.NewInMemoryTransports()
	session, err := r.server.Connect(r.t.Context(), near, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := far.Connect(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = conn.Close()
		_ = session.Close()
	})
	c := &client{r: r, conn: conn}
	c.ask("initialize", `{"protocolVersion":"2025-11-25","capabilities":`+capabilities+`,"clientInfo":{"name":"test","version":"1"}}`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return c
}

func (c *client) send(message string) {
	c.r.t.Helper()
	msg, err := jsonrpc.DecodeMessage([]byte(message))
	if err == nil {
		err = c.conn.Write(c.r.t.Context(), msg)
	}
	if err != nil {
		c.r.t.Fatalf("%s: %v", message, err)
	}
}

// ask sends a request and returns its result or error as JSON.
func (c *client) ask(method, params string) json.RawMessage {
	c.r.t.Helper()
	c.next++
	c.r.caller.Call = fmt.Sprint(c.next)
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, c.next, method, params))
	for {
		msg, err := c.conn.Read(c.r.t.Context())
		if err != nil {
			c.r.t.Fatal(err)
		}
		answer, ok := msg.(*jsonrpc.Response)
		if !ok {
			continue
		}
		if answer.Error != nil {
			text, _ := json.Marshal(answer.Error.Error())
			return text
		}
		return answer.Result
	}
}

// answer is the result of a call.
type answer struct {
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
		Data []byte `json:"data"`
	} `json:"content"`
	Structured json.RawMessage `json:"structuredContent"`
	IsError    bool            `json:"isError"`
}

func (a answer) text() string {
	if len(a.Content) != 1 || a.Content[0].Type != "text" {
		return fmt.Sprintf("NOT ONE TEXT: %v", a.Content)
	}
	return a.Content[0].Text
}

func (a answer) field(name string) string {
	var members map[string]any
	_ = json.Unmarshal(a.Structured, &members)
	return fmt.Sprint(members[name])
}

// call calls a tool with arguments, which are encoded unless they are text.
func (c *client) call(tool string, arguments any) answer {
	c.r.t.Helper()
	text, ok := arguments.(string)
	if !ok {
		text = encode(c.r.t, arguments)
	}
	var a answer
	result := c.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, text))
	if err := json.Unmarshal(result, &a); err != nil {
		c.r.t.Fatalf("%s: %v", result, err)
	}
	return a
}

type object map[string]any

func encode(t testing.TB, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// put writes a version of a page of the wiki as somebody, behind our back, and
// returns the page's id.
func (r *rig) put(person, space, title, body string) string {
	r.t.Helper()
	token, _ := r.sim.MintToken(person, allScopes())
	base := "/ex/confluence/" + r.sites[0].CloudID + "/wiki/api/v2"
	page, there := r.sim.PageByTitle(space, title)
	content := object{"status": "current", "title": title, "body": object{"representation": "storage", "value": body}}
	method, path := "POST", base+"/pages"
	if there {
		method, path = "PUT", base+"/pages/"+page.ID
		content["id"], content["version"] = page.ID, object{"number": page.Version + 1}
	} else {
		content["spaceId"] = r.spaceID(token, space)
	}
	data, _ := json.Marshal(content)
	if w := r.direct(method, path, token, data); w.Code != 200 {
		r.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	page, _ = r.sim.PageByTitle(space, title)
	return page.ID
}

func (r *rig) direct(method, path, token string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.sim.ServeHTTP(w, req)
	return w
}

func (r *rig) spaceID(token, key string) string {
	w := r.direct("GET", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/spaces?keys="+key, token, nil)
	var found struct{ Results []struct{ ID string } }
	if err := json.Unmarshal(w.Body.Bytes(), &found); err != nil || len(found.Results) != 1 {
		r.t.Fatalf("space %s: %s", key, w.Body)
	}
	return found.Results[0].ID
}

// sent counts the requests to Confluence that were made with a method.
func (r *rig) sent(method string) int {
	return len(slices.DeleteFunc(slices.Clone(r.requests), func(line string) bool { return !strings.HasPrefix(line, method+" ") }))
}

// outage is an error that no person may see.
func outage() error { return errors.New("SECRET-INTERNAL: disk on fire") }

func gone() error {
	return usererr.New(usererr.SignIn, "You are not signed in", "Sign in")
}
