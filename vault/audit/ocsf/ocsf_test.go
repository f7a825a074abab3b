package ocsf_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/ocsf"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

func update() bool { return flag.Lookup("update").Value.String() == "true" }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	os.Exit(m.Run())
}

// kinds has an entry of each kind that the vault records.
func kinds() []audit.Entry {
	call := audit.Entry{
		Event: "call", Outcome: "ok", Person: "p_ada", Device: "thumb", Session: "s_1", Grant: "g_1", Stream: "st", Call: "7", Tool: "confluence_get_page",
		Site: "wiki", Objects: []string{"page:12@ENG", "space:ENG"}, Address: "192.0.2.1", DurationMillis: 120,
	}
	denied, stepUp, write := call, call, call
	denied.Event, denied.Outcome, denied.Code, denied.Detail, denied.Objects = "call.denied", "denied", "denied", "denied: page:13@LEGAL", nil
	stepUp.Event, stepUp.Outcome, stepUp.Code = "call.step_up", "denied", "sign_in"
	write.Tool, write.Outcome, write.Reference, write.Address = "confluence_create_page", "error", "r_1234", "2001:db8::1"
	write.ArgumentsBytes, write.ResultBytes, write.ArgumentsHash, write.ResultHash = 17, 99, "hmac-sha256:aa", "hmac-sha256:bb"
	write.Arguments = json.RawMessage(`{"title":"<é>"}`)
	all := []audit.Entry{call, denied, stepUp, write}
	for _, event := range []string{"login.started", "login.done", "login.failed", "login.refused", "login.rejected", "session.stepped_up", "session.ended", "session.revoked"} {
		e := audit.Entry{Event: event, Outcome: "ok", Person: "p_ada", Device: "thumb", Session: "s_1", Address: "192.0.2.1", Objects: []string{"l_1"}}
		if event == "login.started" {
			e.Person, e.Session = "", ""
		}
		if event == "login.failed" || event == "login.refused" || event == "login.rejected" {
			e.Outcome, e.Code = "error", "sign_in"
		}
		all = append(all, e)
	}
	for _, event := range []string{"grant.issued", "grant.refreshed", "grant.refused", "grant.superseded", "grant.revoked", "grant.revoked_upstream"} {
		all = append(all, audit.Entry{Event: event, Outcome: "ok", Person: "p_ada", Grant: "g_1"})
	}
	for _, event := range []string{
		"revocation.ordered", "person.expelled", "person.suspended", "person.restored", "keys.rotate", "keys.rotated", "settings.changed", "admin.look", "admin.denied", "audit.exported", "audit.proved", "audit.verify", "audit.verified",
		"audit.dropped", "audit.sealed", "something.new",
	} {
		all = append(all, audit.Entry{Event: event, Outcome: "ok", By: "os:root", Objects: []string{"tenant acme"}, Detail: "by an administrator, from the command line"})
	}
	return all
}

// TestGolden compares an event of each kind with a file, and each with what the
// schema requires of its class.
func TestGolden(t *testing.T) {
	var out bytes.Buffer
	for i, e := range kinds() {
		r := record(t, int64(i+1), e)
		line, err := ocsf.Append(nil, r, "1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		required(t, e.Event, line)
		if bytes.ContainsAny(line, "\n\r") {
			t.Errorf("%s: more than one line", e.Event)
		}
		if err := json.Indent(&out, line, "", " "); err != nil {
			t.Errorf("%s: %v", e.Event, err)
		}
		out.WriteByte('\n')
	}
	file := filepath.Join("testdata", "events.json")
	if update() {
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func record(t *testing.T, seq int64, e audit.Entry) *audit.Record {
	t.Helper()
	e.Time, e.Tenant = time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC), "acme"
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	r := &audit.Record{Tenant: e.Tenant, Prev: []byte{1, byte(seq - 1)}, Time: e.Time, Event: e.Event, Body: body}
	r.Head = audit.Head{Seq: seq, Hash: []byte{1, byte(seq)}}
	return r
}

// required checks what version 1.3 of the schema requires.
func required(t *testing.T, name string, line []byte) {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatalf("%s: %v in %s", name, err, line)
	}
	has := func(path string) bool {
		var at any = e
		for step := range strings.SplitSeq(path, ".") {
			m, _ := at.(map[string]any)
			at = m[step]
		}
		return at != nil && at != ""
	}
	paths := []string{
		"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "status_id", "metadata.version", "metadata.product.name",
		"metadata.product.vendor_name", "actor.user", "src_endpoint", "unmapped.chain.seq", "unmapped.chain.hash", "unmapped.chain.prev", "unmapped.body",
	}
	switch class, _ := e["class_uid"].(float64); class {
	case 6003:
		paths = append(paths, "api.operation")
	case 3002:
		paths = append(paths, "user.uid", "service.name")
	case 3004:
		paths = append(paths, "entity.name", "entity.type")
	default:
		t.Errorf("%s: class %v", name, class)
	}
	for _, path := range paths {
		if !has(path) {
			t.Errorf("%s has no %s: %s", name, path, line)
		}
	}
	class, activity, kind := fmt.Sprint(e["class_uid"]), e["activity_id"].(float64), e["type_uid"].(float64)
	if want := fmt.Sprintf("%s%02.0f", class, activity); fmt.Sprintf("%.0f", kind) != want || fmt.Sprint(e["category_uid"]) != class[:1] {
		t.Errorf("%s: class %s, activity %v, type %.0f", name, class, activity, kind)
	}
	if source, _ := e["src_endpoint"].(map[string]any); len(source) == 0 {
		t.Errorf("%s: nothing is known of its source", name)
	}
}

var event = regexp.MustCompile(`(?:Event: |record\([^"\n]*|entry\([^"\n]*|"event", |Kind = )"([a-z]+\.[a-z_]+)"`)

// TestEachKindIsKnown looks for kinds of events in the source that the golden
// file does not have.
func TestEachKindIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, e := range kinds() {
		known[e.Event] = true
	}
	found := 0
	err := filepath.WalkDir("../..", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, match := range event.FindAllSubmatch(text, -1) {
			if found++; !known[string(match[1])] {
				t.Errorf("%s records %s", name, match[1])
			}
		}
		return err
	})
	if err != nil || found < 15 {
		t.Errorf("found %d, %v", found, err)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(`{"event":"call","objects":["a:b@c"],"arguments":{"a":1}}`), "call", []byte{1})
	f.Add([]byte("\xff{"), "a\nb", []byte(nil))
	f.Fuzz(func(t *testing.T, body []byte, event string, hash []byte) {
		r := &audit.Record{Tenant: identity.TenantID(event), Event: event, Body: body, Prev: hash}
		r.Head = audit.Head{Seq: 1, Hash: hash}
		line, err := ocsf.Append([]byte("x"), r, event)
		if err != nil || line[0] != 'x' || !json.Valid(line[1:]) || bytes.ContainsAny(line, "\n\r") {
			t.Errorf("%v: %q", err, line)
		}
	})
}
