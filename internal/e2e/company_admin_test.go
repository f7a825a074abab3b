package e2e_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
)

// administrator sends requests to /v1/admin with the key that a laptop's shim
// made, to whichever vault comes next.
type administrator struct {
	*company
	key   *device.DeviceKey
	nonce string // the vaults' latest
}

func (c *company) administrator(laptop string) *administrator {
	c.t.Helper()
	keeper := device.New(device.Config{Dir: filepath.Join(c.Dir, "laptop-"+laptop, ".local", "state", "coatcheck", "devices"), Origin: c.VaultURL, Store: device.StoreFile})
	if known, _, err := keeper.Known(); err != nil || known == "" {
		c.t.Fatalf("the key of the laptop: %q, %v", known, err)
	}
	key, err := keeper.Device(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return &administrator{company: c, key: key}
}

func (a *administrator) prove(method, path string) string {
	a.t.Helper()
	path, _, _ = strings.Cut(path, "?") // RFC 9449 §4.2
	proof, err := dpop.Prove(a.key.Key, dpop.Claims{Method: method, URL: a.VaultURL + path, Nonce: a.nonce})
	if err != nil {
		a.t.Fatal(err)
	}
	return proof
}

func (a *administrator) send(method, path, body, proof string) (int, http.Header, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.VaultURL+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Dpop", proof)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // each to another vault
	res, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if fresh := res.Header.Get(dpop.NonceHeader); fresh != "" {
		a.nonce = fresh
	}
	return res.StatusCode, res.Header, string(text)
}

// ask is one request, and once more where a vault wants a nonce.
func (a *administrator) ask(method, path, body string) (int, string) {
	a.t.Helper()
	status, header, text := a.send(method, path, body, a.prove(method, path))
	if status == http.StatusUnauthorized && strings.Contains(header.Get("WWW-Authenticate"), "use_dpop_nonce") {
		status, _, text = a.send(method, path, body, a.prove(method, path))
	}
	return status, text
}

// administers is what somebody does over /v1/admin with the key of a device, as
// an auditor and then, when the company says so, as an administrator.
func (c *company) administers(laptop string) {
	c.t.Helper()
	a := c.administrator(laptop)
	const sessions, revocations, nobody = "/v1/admin/sessions", "/v1/admin/revocations", `{"device": "nobody"}`
	status, text := a.ask(http.MethodGet, sessions, "")
	if status != http.StatusOK || !strings.Contains(text, a.key.Thumbprint) {
		c.t.Errorf("sessions for an auditor: %d %s", status, text)
	}
	proof := a.prove(http.MethodGet, sessions)
	for _, want := range []int{http.StatusOK, http.StatusUnauthorized} { // at another vault
		if status, _, text := a.send(http.MethodGet, sessions, "", proof); status != want {
			c.t.Errorf("one proof for two requests: %d, want %d: %s", status, want, text)
		}
	}
	if status, text := a.ask(http.MethodPost, revocations+"?dry_run=true", nobody); status != http.StatusNotFound {
		c.t.Errorf("a dry run by an auditor: %d %s", status, text)
	}
	if status, text := a.ask(http.MethodPost, revocations, nobody); status != http.StatusForbidden {
		c.t.Errorf("a revocation by an auditor: %d %s", status, text)
	}
	groups := []string{"staff", "wiki-users"}
	c.change(account{ID: "ada", Groups: append(groups, "vault-admins")})
	c.until("the new group is an administrator's", func() bool {
		status, text = a.ask(http.MethodPost, revocations, nobody)
		return status != http.StatusForbidden
	})
	if status != http.StatusNotFound {
		c.t.Errorf("the revocation of a device that is not there by an administrator: %d %s", status, text)
	}
	if said := c.vault("audit", "list", "--event", "admin.look", "--json"); !strings.Contains(said, "over the administrative API, on the device "+a.key.Thumbprint) {
		c.t.Errorf("the looks are not on record with the device:\n%s", said)
	}
	stranger := &administrator{company: c, key: c.administrator("ada-too").key}
	status, _, _ = stranger.send(http.MethodGet, sessions, "", a.prove(http.MethodGet, revocations))
	if status != http.StatusUnauthorized {
		c.t.Errorf("a proof for another address: %d", status)
	}
	c.change(account{ID: "ada", Groups: groups})
	c.until("the group is gone", func() bool {
		status, text = a.ask(http.MethodPost, revocations, nobody)
		return status == http.StatusForbidden
	})
}
