package admin_test

import (
	"encoding/base64"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestACursorChoosesNoChain: what is on record as a look at one chain shows that
// chain only, whatever a cursor says that somebody made up.
func TestACursorChoosesNoChain(t *testing.T) {
	r := newRig(t)
	for _, tenant := range []identity.TenantID{"acme", "labs", ""} {
		for range 3 {
			if err := r.cfg.Audit.Record(t.Context(), audit.Entry{Event: "call", Outcome: "ok", Tenant: tenant}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for forged, want := range map[string]int{
		`{"k":"records","e":{"labs":4}}`:                         0,
		`{"k":"records","e":{"":4}}`:                             0,
		`{"k":"records","e":{"nobody":4}}`:                       0,
		`{"k":"records","e":{"acme":3,"labs":4,"":4}}`:           2,
		`{"k":"records","e":{"acme":9223372036854775807}}`:       3,
		`{"k":"records","e":{"acme":-9223372036854775807}}`:      0,
		`{"k":"records","e":{"acme":1,"labs":9999999,"-":9999}}`: 0,
	} {
		page, err := admin.New(r.cfg).Records(t.Context(), auditor, admin.RecordQuery{
			Tenant: "acme", Event: "call", Paging: admin.Paging{Cursor: base64.RawURLEncoding.EncodeToString([]byte(forged))},
		})
		if err != nil || len(page.Items) != want {
			t.Errorf("%s: %d records, %v; want %d", forged, len(page.Items), err, want)
		}
		for _, item := range page.Items {
			if item.Tenant != "acme" {
				t.Errorf("%s shows a record of %q", forged, item.Tenant)
			}
		}
	}
}
