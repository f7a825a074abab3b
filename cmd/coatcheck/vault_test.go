package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// vault is as much of a vault as the commands need: it checks proofs, knows
// who is signed in, and plays the browser that comes back to the loopback.
type vault struct {
	*httptest.Server
	t        *testing.T
	verifier *dpop.Verifier
	nonces   *dpop.Nonces
	joined   sync.WaitGroup

	mu     sync.Mutex
	closed bool                  // guarded by mu
	signed map[string]bool       // guarded by mu; by thumbprint
	links  map[*wsconn.Conn]bool // guarded by mu
	seen   map[string]bool       // guarded by mu; proofs
}

func newVault(t *testing.T) *vault {
	v := &vault{t: t, signed: map[string]bool{}, links: map[*wsconn.Conn]bool{}, seen: map[string]bool{}}
	v.nonces = dpop.NewNonces(make([]byte, 32), time.Minute)
	v.verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: v.nonces, Replay: v})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET "+wire.ConnectPath, v.known(v.connect))
	mux.HandleFunc("POST "+wire.LoginStartPath, v.known(v.start))
	mux.HandleFunc("POST "+wire.LoginFinishPath, v.known(v.finish))
	mux.HandleFunc("POST "+wire.LogoutPath, v.known(v.logout))
	v.Server = httptest.NewUnstartedServer(mux)
	v.Start() // which sets the URL that the handlers read
	return v
}

// Close ends the vault and waits for what it started.
func (v *vault) Close() {
	v.mu.Lock()
	v.closed = true
	for link := range v.links {
		_ = link.Close(wsconn.CodeGoingAway, "")
	}
	v.mu.Unlock()
	v.Server.Close()
	v.joined.Wait()
}

// Remember implements dpop.Replay.
func (v *vault) Remember(_ context.Context, id string, _ time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[id] {
		return dpop.ErrReplayed
	}
	v.seen[id] = true
	return nil
}

func (v *vault) known(next func(w http.ResponseWriter, r *http.Request, device string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		device, err := dpop.FromRequest(v.verifier, r, v.URL)
		if err != nil {
			dpop.Refuse(w, v.nonces, err)
			return
		}
		next(w, r, device)
	}
}

func (v *vault) connect(w http.ResponseWriter, r *http.Request, device string) {
	v.joined.Add(1) // before the server forgets the connection
	defer v.joined.Done()
	link, err := wsconn.Upgrade(w, r, wsconn.Options{})
	if err != nil {
		return
	}
	v.mu.Lock()
	signed, closed := v.signed[device], v.closed
	v.links[link] = true
	v.mu.Unlock()
	defer func() { _ = link.Close(wsconn.CodeGoingAway, "") }()
	if _, _, err := link.Read(); err != nil || closed { // hello
		return
	}
	_ = link.WriteBinary(wire.Encode(wire.KindResume, wire.Resume{Version: "v9.9.9", SignedIn: signed}))
	for err == nil {
		_, _, err = link.Read()
	}
}

func (v *vault) start(w http.ResponseWriter, r *http.Request, _ string) {
	var ask wire.LoginStart
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		v.t.Error(err)
	}
	if ask.ByCode { // few companies allow it
		answer(w, http.StatusForbidden, wire.Problem{Code: "denied", Message: "Signing in with a code is not allowed here"})
		return
	}
	answer(w, http.StatusOK, wire.LoginStarted{Login: "l_1", Start: "st_1", URL: v.URL + "/login/abc", Open: true, ExpiresInSeconds: 600})
	if ask.Tenant == "refuse" {
		v.joined.Go(func() { v.tell(wire.LoginDone{Message: "You declined"}) })
		return
	}
	if !ask.OpenFailed { // that is the same start once more
		v.joined.Go(func() { v.comeBack(ask.Loopback) })
	}
}

// comeBack is the browser, after the person has consented.
func (v *vault) comeBack(loopback string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	query := url.Values{wire.ParamTicket: {"ticket"}, wire.ParamStart: {"st_1"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, loopback+"?"+query.Encode(), nil)
	if err != nil {
		v.t.Error(err)
		return
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		v.t.Errorf("the browser came back: %v", err)
		return
	}
	_ = res.Body.Close()
	if at := res.Header.Get("Location"); at != v.URL+"/login/done" {
		v.t.Errorf("the browser was sent to %q (%s)", at, res.Status)
	}
}

func (v *vault) tell(result wire.LoginDone) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for link := range v.links {
		_ = link.WriteBinary(wire.Encode(wire.KindLoginDone, result))
	}
}

func (v *vault) finish(w http.ResponseWriter, r *http.Request, device string) {
	var ask wire.LoginFinish
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || ask.Ticket != "ticket" {
		v.t.Errorf("finish: %v", err)
	}
	v.mu.Lock()
	v.signed[device] = true
	v.mu.Unlock()
	answer(w, http.StatusOK, wire.LoginFinished{OK: true, Page: v.URL + "/login/done"})
}

func (v *vault) logout(w http.ResponseWriter, r *http.Request, device string) {
	var ask wire.Logout
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		v.t.Errorf("logout: %v", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.signed[device] {
		answer(w, http.StatusNotFound, wire.Problem{Code: "not_found", Message: "no session"})
		return
	}
	delete(v.signed, device)
	if ask.Everywhere {
		answer(w, http.StatusOK, wire.LoggedOut{Everywhere: true, Sessions: 3, Grants: 1})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
