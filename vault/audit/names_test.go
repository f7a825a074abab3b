package audit_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestNobodyIsNamedAnywhere: where people are named by hash, no member of a
// record has an id or an e-mail address, and equal ones stay equal.
func TestNobodyIsNamedAnywhere(t *testing.T) {
	ada, eve := identity.NewPersonID("https://login.example.com", "ada"), identity.NewPersonID("https://login.example.com", "eve")
	h := hasher(t)
	as := func(name string) string { return string(h.Person("acme", identity.PersonID(name))) }
	for name, test := range map[string]struct{ in, want audit.Entry }{
		"the path of an attempt": {
			audit.Entry{Event: "admin.denied", By: "key:ops", Objects: []string{"GET /v1/admin/people/" + string(ada) + "/x"}},
			audit.Entry{Event: "admin.denied", By: "key:ops", Objects: []string{"GET /v1/admin/people/" + as(string(ada)) + "/x"}},
		},
		"two people": {
			audit.Entry{Event: "x", Person: ada, By: "person:" + string(eve), Detail: string(eve) + " and " + string(ada) + " and ada@Acme.example", Objects: []string{string(ada)}},
			audit.Entry{Event: "x", Person: identity.PersonID(as(string(ada))), By: "person:" + as(string(eve)), Detail: as(string(eve)) + " and " + as(string(ada)) + " and " + as("ada@acme.example"), Objects: []string{as(string(ada))}},
		},
		"an e-mail address by name": {
			audit.Entry{Event: "x", By: "os:ada@corp.example.com", Address: "ada@b.de", Reference: "a+b@c.org", Code: string(ada), Site: "https://ada@wiki.example", Call: `"` + string(ada) + `"`, Tool: "x" + string(ada)},
			audit.Entry{Event: "x", By: "os:" + as("ada@corp.example.com"), Address: as("ada@b.de"), Reference: as("a+b@c.org"), Code: as(string(ada)), Site: "https:" + as("//ada@wiki.example"), Call: `"` + as(string(ada)) + `"`, Tool: "x" + string(ada)},
		},
		"arguments": {
			audit.Entry{Event: "x", Asked: []byte(`{"to":"Ada <ada@acme.example>","id":"` + string(ada) + `"}`)},
			audit.Entry{Event: "x", Arguments: json.RawMessage(`{"id":"` + as(string(ada)) + `","to":"Ada <` + as("ada@acme.example") + `>"}`)},
		},
		"nobody": {
			audit.Entry{Event: "call", Objects: []string{"page:12@DOCS", "space:@~712020:ab-cd"}, Detail: "p_short, 1@2, sp_ace, someone@home", Address: "2001:db8::1", By: "os:root"},
			audit.Entry{Event: "call", Objects: []string{"page:12@DOCS", "space:@~712020:ab-cd"}, Detail: "p_short, 1@2, sp_ace, someone@home", Address: "2001:db8::1", By: "os:root"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			log := audit.New(audit.Config{Sink: r.db, Level: audit.Full, Attribution: audit.ByHash, Hasher: func(context.Context) (*keyed.Hasher, error) { return h, nil }})
			test.in.Tenant, test.want.Tenant = "acme", "acme"
			if err := log.Record(t.Context(), test.in); err != nil {
				t.Fatal(err)
			}
			list, err := r.List(t.Context(), "acme", 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := list[0].Entry()
			if name != "an e-mail address by name" && strings.Contains(string(list[0].Body), string(ada)) {
				t.Errorf("it names somebody: %s", list[0].Body)
			}
			got.Time, got.ArgumentsBytes, got.ArgumentsHash = test.want.Time, 0, ""
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzNames(f *testing.F) {
	ada := string(identity.NewPersonID("https://login.example.com", "ada"))
	f.Add("see ", "/x", "a@b.cd")
	h := hasher(f)
	r := newRig(f)
	log := audit.New(audit.Config{Sink: r.db, Attribution: audit.ByHash, Hasher: func(context.Context) (*keyed.Hasher, error) { return h, nil }})
	f.Fuzz(func(t *testing.T, before, after, other string) {
		e := audit.Entry{Event: "x", Tenant: "acme", Person: identity.PersonID(ada), Detail: before + ada + after, Objects: []string{other, after + ada + before}}
		if err := log.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		head, err := r.db.AuditHead(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		list, err := r.List(t.Context(), "acme", head.Seq-1, 1)
		if err != nil || strings.Contains(string(list[0].Body), ada) {
			t.Errorf("%v %s", err, list[0].Body)
		}
	})
}
