package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/cef"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/export"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestJSONLinesCanBeCheckedAnywhere computes the hashes as the documentation
// of the format says, without our code.
func TestJSONLinesCanBeCheckedAnywhere(t *testing.T) {
	r := newRig(t)
	r.fill(t, "acme", 1500) // more than a page
	r.fill(t, "", 2)
	if err := r.Record(t.Context(), audit.Entry{Event: "call", Tenant: "acme", Detail: "<&> \u00e9 \"quoted\" \\ \x00"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	count, err := export.Write(t.Context(), r.Log, &out, export.Options{Format: export.JSONLines, Tenants: []identity.TenantID{"", "acme"}})
	if err != nil || count != 1503 {
		t.Fatalf("%d records, %v", count, err)
	}
	last := map[string]string{}
	for line := range strings.Lines(out.String()) {
		var e struct {
			Tenant, Prev, Hash, Body string
			Seq                      uint64
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		prev, _ := hex.DecodeString(e.Prev)
		var form []byte
		for _, part := range []string{"coatcheck audit record v1", string(prev), e.Tenant, e.Body} {
			form = append(binary.BigEndian.AppendUint64(form, uint64(len(part))), part...)
		}
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(form, e.Seq))
		if e.Hash != hex.EncodeToString(sum[:]) || e.Prev != last[e.Tenant] {
			t.Fatalf("not in the chain: %s", line)
		}
		last[e.Tenant] = e.Hash
	}
	out.Reset()
	if count, err := export.Write(t.Context(), r.Log, &out, export.Options{Format: export.JSONLines, Tenants: []identity.TenantID{"acme"}, After: 1499}); count != 2 || err != nil {
		t.Errorf("after 1499: %d, %v", count, err)
	}
}

func TestATamperedRecordIsExportedAsItIs(t *testing.T) {
	r := newRig(t)
	r.fill(t, "acme", 1)
	r.forge(t).exec("UPDATE audit SET body = $1, event = $2", []byte("\xff\x00"), "a|b\nc")
	exported := func(x export.Options) string {
		x.Tenants, x.Version = []identity.TenantID{"acme"}, "1"
		var out bytes.Buffer
		if _, err := export.Write(t.Context(), r.Log, &out, x); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := exported(export.Options{Format: export.JSONLines}); !strings.Contains(got, `"body_base64":"/wA="`) || strings.Contains(got, `"body":`) {
		t.Error(got)
	}
	if got := exported(export.Options{Append: cef.Append}); !strings.HasPrefix(got, `CEF:0|Coatcheck|coatcheck-vault|1|a\|b c|a\|b c|5|rt=`) || !strings.Contains(got, "msg=an audit record is not readable") {
		t.Error(got)
	}
}

func TestCEF(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)
	for name, test := range map[string]struct {
		entry audit.Entry
		want  string // without what follows the hash's label
	}{
		"all": {
			audit.Entry{
				Event: "call.denied", Outcome: "denied", Tenant: "acme", Person: "p_ada", Device: "dev", Session: "s_1", Grant: "g_1", Tool: "get_page",
				Site: "wiki", Objects: []string{"page 1", "page a=b|c"}, Code: "denied", Detail: `1+1=2 \ x`, Reference: "ref", Address: "192.0.2.1", DurationMillis: 12,
			},
			`CEF:0|Coatcheck|coatcheck-vault|v1\|2|call.denied|call denied|6|rt=1772600767089 externalId=1 outcome=denied suid=p_ada src=192.0.2.1 ` +
				`destinationServiceName=wiki reason=denied msg=1+1\=2 \\\\ x cs1Label=tenant cs1=acme cs2Label=session cs2=s_1 cs3Label=grant cs3=g_1 ` +
				`cs4Label=tool cs4=get_page cs5Label=objects cs5=page 1, page a\=b|c cs6Label=hash cs6=HASH flexString1Label=device flexString1=dev ` +
				`flexString2Label=reference flexString2=ref cn1Label=duration in ms cn1=12`,
		},
		"little, from IPv6": {
			audit.Entry{Event: "grant.revoked", Outcome: "ok", Address: "2001:db8::1", By: "key:ops"},
			`CEF:0|Coatcheck|coatcheck-vault|v1\|2|grant.revoked|grant revoked|4|rt=1772600767089 externalId=1 outcome=ok suser=key:ops c6a2Label=Source IPv6 Address c6a2=2001:db8::1 cs6Label=hash cs6=HASH`,
		},
		"an error, from nowhere": {
			audit.Entry{Event: "call", Outcome: "error", Address: "a pipe"},
			`CEF:0|Coatcheck|coatcheck-vault|v1\|2|call|call|5|rt=1772600767089 externalId=1 outcome=error cs6Label=hash cs6=HASH`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			test.entry.Time = at
			if err := r.Record(t.Context(), test.entry); err != nil {
				t.Fatal(err)
			}
			all, err := r.List(t.Context(), test.entry.Tenant, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if _, err := export.Write(t.Context(), r.Log, &out, export.Options{Append: cef.Append, Tenants: []identity.TenantID{test.entry.Tenant}, Version: "v1|2"}); err != nil {
				t.Fatal(err)
			}
			got := strings.Replace(out.String(), hex.EncodeToString(all[0].Hash), "HASH", 1)
			if diff := cmp.Diff(test.want+"\n", got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzCEF: whatever was recorded is one line, and nobody can add a key to it.
func FuzzCEF(f *testing.F) {
	f.Add("call", "x suid=mallory\nCEF:0|", strings.Repeat("é=", 3000))
	f.Fuzz(func(t *testing.T, event, detail, object string) {
		s := &still{}
		log := audit.New(audit.Config{Sink: s})
		if err := log.Record(t.Context(), audit.Entry{Event: event, Detail: detail, Objects: []string{object}, Person: "p_ada"}); err != nil {
			t.Fatal(err)
		}
		s.list[0].Event = event // by somebody with the database
		var out bytes.Buffer
		if _, err := export.Write(t.Context(), log, &out, export.Options{Append: cef.Append, Tenants: []identity.TenantID{""}, Version: "1"}); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(out.String(), "\n")
		plain := strings.NewReplacer(`\\`, "", `\|`, "", `\=`, "").Replace(line)
		if strings.IndexFunc(line, unicode.IsControl) >= 0 || !utf8.ValidString(line) || strings.Count(plain, " suid=") != 1 {
			t.Errorf("exported %q", line)
		}
		head := strings.SplitN(plain, "|", 8)
		if len(head) != 8 || !strings.HasPrefix(head[7], "rt=") || strings.Contains(head[7], "externalId=1 ") == false {
			t.Errorf("header of %q", line)
		}
	})
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestExportFails(t *testing.T) {
	r := newRig(t)
	r.fill(t, "acme", 1)
	x := export.Options{Append: cef.Append, Tenants: []identity.TenantID{"acme"}}
	if _, err := export.Write(t.Context(), r.Log, full{}, x); err == nil {
		t.Error("written to a full disk")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := export.Write(ctx, r.Log, &bytes.Buffer{}, x); !errors.Is(err, context.Canceled) {
		t.Errorf("Export = %v", err)
	}
	x.Format, x.Append = "xml", nil
	if _, err := export.Write(t.Context(), r.Log, &bytes.Buffer{}, x); err == nil {
		t.Error("exported as XML")
	}
}
