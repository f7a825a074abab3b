package tools_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// Whatever a query of a report says, and in whatever letters, it is taken apart
// as that of a search is.
func TestReportsByQuery(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	r.offered("properties")
	c := r.connect()
	long := `title ~ "` + strings.Repeat("Ⱥ", 30) + `"` // whose small letters have more bytes
	for cql, want := range map[string]string{
		long + ` ORDER BY title`:   `(` + long + `) AND type = "page" AND space NOT IN ("LEGAL") ORDER BY title`,
		`title ~ "order by phone"`: `(title ~ "order by phone") AND type = "page" AND space NOT IN ("LEGAL")`,
	} {
		r.requests = nil
		if a := c.call("confluence_get_properties", object{"cql": cql}); a.IsError || r.asked(t) != want {
			t.Errorf("%s asks %q and says %s", cql, r.asked(t), a.text())
		}
	}
}
