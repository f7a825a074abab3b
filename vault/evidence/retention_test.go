package evidence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// TestRetentionFromSettings: what the settings say is dropped, exported and
// proven, with the vault's own key and with one that was kept.
func TestRetentionFromSettings(t *testing.T) {
	for engine, url := range engines {
		t.Run(engine, func(t *testing.T) {
			r := newRig(t, url(t), func(s *settings.Settings) {
				s.Observability.Retention, s.Audit.Objects = 30*24*time.Hour, "objects"
			})
			ctx, folder := t.Context(), filepath.Join(r.settings.Dir, "objects")
			if _, err := r.Retention(ctx); err == nil || !strings.Contains(usererr.Text(err, ""), "audit.objects") {
				t.Errorf("a folder that is missing: %v", err)
			}
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, days := range []int{50, 49, 1, 0} {
				e := audit.Entry{Time: time.Now().AddDate(0, 0, -days), Event: "call", Tenant: "acme", Person: "p_ada"}
				if err := r.Log().Record(ctx, e); err != nil {
					t.Fatal(err)
				}
			}
			keeper, err := r.Retention(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := keeper.Round(ctx); err != nil {
				t.Fatal(err)
			}
			key, err := r.AuditKey(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, from := range []evidence.AuditSources{{}, {Objects: folder}, {Objects: folder, Key: key}} {
				report, err := r.again(t).VerifyAudit(ctx, from)
				if err != nil || report.Records != 4 || report.Chains[0].Dropped != 2 || from.Objects != "" && report.Archive.Records != 2 {
					t.Errorf("%+v: %+v, %v", from, report, err)
				}
			}
			if report, err := r.Verify(ctx); err != nil || report.Archive.Segments != 2 {
				t.Errorf("Verify = %+v, %v", report, err)
			}
			all, err := filepath.Glob(filepath.Join(folder, "segments", "acme", "*.jsonl"))
			if err != nil || len(all) != 2 {
				t.Fatal(all, err)
			}
			if err := os.WriteFile(all[0], nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := r.VerifyAudit(ctx, evidence.AuditSources{Objects: folder}); err == nil || !strings.Contains(usererr.Text(err, ""), "not intact") {
				t.Errorf("an exported record is gone: %v", err)
			}
		})
	}
}

// TestADeletedArchive: what was dropped and is not in the archive is named,
// but for what went before there was one.
func TestADeletedArchive(t *testing.T) {
	for name, test := range map[string]struct {
		gone string // below segments/acme
		want string // "" for nothing wrong
	}{
		"nothing":         {"none*", ""},
		"the last":        {"*-0000000000000000004.*", "record 4: the segment to record 4 was dropped and is missing"},
		"the first":       {"*-0000000000000000003.*", "record 3: the segment to record 3 was dropped and is missing"},
		"all, and so on":  {"*", "record 3: the segment to record 3 was dropped and is missing"},
		"with the folder": {"", "record 4: the segment to record 4 was dropped and is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engines["sqlite"](t), func(s *settings.Settings) { s.Observability.Retention = 30 * 24 * time.Hour })
			ctx, folder := t.Context(), filepath.Join(r.settings.Dir, "objects")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			round := func(days ...int) {
				for _, days := range days {
					e := audit.Entry{Time: time.Now().AddDate(0, 0, -days), Event: "call", Tenant: "acme", Person: "p_ada"}
					if err := r.Log().Record(ctx, e); err != nil {
						t.Fatal(err)
					}
				}
				keeper, err := r.Retention(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := keeper.Round(ctx); err != nil {
					t.Fatal(err)
				}
			}
			r.settings.Observability.Retention = 55 * 24 * time.Hour
			round(60, 59, 50, 49, 1)
			if report, err := r.VerifyAudit(ctx, evidence.AuditSources{Objects: folder}); err != nil || report.Chains[0].Dropped != 2 {
				t.Fatalf("what was dropped before there was an archive: %+v, %v", report, err)
			}
			r.settings.Observability.Retention, r.settings.Audit.Objects = 30*24*time.Hour, "objects"
			round()
			at := filepath.Join(folder, "segments", "acme")
			gone, err := filepath.Glob(filepath.Join(at, test.gone))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range gone {
				if err := os.RemoveAll(file); err != nil {
					t.Fatal(err)
				}
			}
			_, err = r.Verify(ctx)
			if test.want == "" && err == nil {
				return
			}
			if text := usererr.Text(err, ""); test.want == "" || !strings.Contains(text, "not intact") || !strings.Contains(text, test.want) {
				t.Errorf("Verify = %v, want %q", err, test.want)
			}
		})
	}
}
