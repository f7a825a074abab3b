package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/api"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// devices lets in who is signed in on one of populate's devices, beside the key
// ops. A proof is the device's name here.
func (r *rig) devices(roles map[identity.SessionID][]identity.Role, stale identity.SessionID) {
	sessions := session.New(session.Config{Store: r.db})
	r.handler = api.New(api.Config{
		Desk: r.desk, Log: slog.New(slog.NewTextHandler(&r.logged, nil)), Nonce: func() string { return "fresh" },
		Address: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.1") },
		Who: api.Either{
			Keys: api.NewKeys([]api.Key{{Name: "ops", Role: identity.Administrator, Secret: secret.New(opsKey)}}),
			Devices: api.NewDevices(api.DevicesConfig{
				Prove: func(req *http.Request) (identity.DeviceID, error) {
					switch proof := req.Header.Get("DPoP"); proof {
					case "no nonce":
						return "", usererr.Wrap(api.ErrNonce, usererr.Unauthorized, "The proof needs the nonce", "")
					case "forged":
						return "", usererr.New(usererr.Unauthorized, "The proof is no good", "")
					default:
						return identity.DeviceID(proof), nil
					}
				},
				Current: sessions.Current,
				Fresh: func(_ context.Context, caller identity.Caller) error {
					if caller.Session == stale {
						return usererr.New(usererr.SignIn, "This needs a fresh sign-in", "")
					}
					return nil
				},
				Roles: func(_ context.Context, id identity.SessionID) ([]identity.Role, error) {
					if roles == nil {
						return nil, errors.New("store down")
					}
					return roles[id], nil
				},
			}),
		},
	})
}

// TestPeopleWithARole are let in by the key of their device, as what their groups
// say, and by nothing else.
func TestPeopleWithARole(t *testing.T) {
	auditors := map[identity.SessionID][]identity.Role{"s_laptop": {identity.Auditor}, "s_desktop": {identity.Auditor, identity.Administrator}}
	for name, test := range map[string]struct {
		proof  string
		roles  map[identity.SessionID][]identity.Role
		stale  identity.SessionID
		look   int
		revoke int
		by     string // on record; "" for none
	}{
		"an auditor":              {"laptop", auditors, "", 200, 403, "person:p_ada"},
		"an administrator":        {"desktop", auditors, "", 200, 200, "person:p_ada"},
		"nobody in particular":    {"phone", auditors, "", 403, 403, "person:p_ben"},
		"no session":              {"tablet", auditors, "", 401, 401, "-"},
		"forged":                  {"forged", auditors, "", 401, 401, "-"},
		"no nonce":                {"no nonce", auditors, "", 401, 401, ""},
		"who must sign in anew":   {"desktop", auditors, "s_desktop", 403, 403, "person:p_ada"},
		"roles that nobody knows": {"desktop", nil, "", 503, 503, "person:p_ada"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.populate()
			r.devices(test.roles, test.stale)
			for _, one := range []struct {
				method, path, body string
				want               int
			}{{"GET", "/sessions", "", test.look}, {"POST", "/revocations", `{"device":"phone"}`, test.revoke}} {
				req := request(one.method, one.path, "", one.body)
				req.Header.Set("DPoP", test.proof)
				w := record(r, req)
				if w.Code != one.want || w.Header().Get("DPoP-Nonce") != "fresh" {
					t.Errorf("%s: %d %v %s", one.path, w.Code, w.Header(), w.Body)
				}
				if says := w.Header().Get("WWW-Authenticate"); w.Code == 401 && (!strings.HasPrefix(says, "DPoP ") || strings.Contains(says, "use_dpop_nonce") != (test.proof == "no nonce")) {
					t.Errorf("%s: %q", one.path, says)
				}
			}
			var by []string
			for _, e := range r.entries("") {
				if by = append(by, e.By); test.by == "-" && e.By != "" || test.by != "-" && e.By != test.by {
					t.Errorf("on record: %+v", e)
				}
			}
			if (len(by) == 0) != (test.by == "") {
				t.Errorf("%d records", len(by))
			}
			if _, err := session.New(session.Config{Store: r.db}).Current(t.Context(), "phone"); (err == nil) != (test.revoke != 200) {
				t.Errorf("the phone's session: %v", err)
			}
		})
	}
}

// TestAKeyOrAProof: a key counts as before, and no proof makes up for a wrong
// one.
func TestAKeyOrAProof(t *testing.T) {
	r := newRig(t)
	r.populate()
	r.devices(map[identity.SessionID][]identity.Role{"s_desktop": {identity.Administrator}}, "")
	r.send(request("GET", "/sessions", opsKey, ""), http.StatusOK)
	for key, want := range map[string]int{opsKey: 200, "CANARY-wrong": 401} {
		req := request("GET", "/sessions", key, "")
		req.Header.Set("DPoP", "desktop")
		r.send(req, want)
	}
	req := request("GET", "/sessions", "", "")
	req.Header.Set("DPoP", "desktop")
	req.Header.Set("Origin", "https://vault.example")
	r.send(req, http.StatusForbidden)
	if w := r.send(request("GET", "/sessions", "", ""), http.StatusUnauthorized); !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("neither: %v", w.Header())
	}
}
