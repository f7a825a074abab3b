package policy_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// doc is a page that many queries find.
func doc(space string) *cql.Doc {
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	return &cql.Doc{
		ID: "1", Type: "page", Title: "Plan", SpaceKey: space, SpaceName: "Plan", SpaceType: "global", Words: cql.Words("plan a b say hi there x"),
		TitleWords: cql.Words("Plan"), Labels: []string{"x", "order by"}, Creator: "me", Contributors: []string{"me"}, Created: at, Modified: at,
		Parent: "2", Ancestors: []string{"2", "3"},
	}
}

// FuzzReach: read by a reader of CQL that is not ours, no query reaches a page
// of a denied space, or of one that is not allowed; and a query that it
// understands before is one that it understands after.
func FuzzReach(f *testing.F) {
	data, err := os.ReadFile("testdata/policy.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if question, _, ok := strings.Cut(line, "=> "); ok {
			f.Add(question[strings.LastIndex(question, "|")+1:])
		}
	}
	for _, seed := range []string{
		"space = LEGAL", "not space = OPS", "space != OPS or type = page", "title = Plan or space in (LEGAL, OPS)", "((type = page))",
		`text ~ "plan" or not (space = OPS and type = page) order by created`, "not not type=page", "id = 1", "a = 1 or or",
	} {
		f.Add(seed)
	}
	denying, err1 := policy.New(policy.Rules{Access: policy.Access{DeniedSpaces: []string{"LEGAL"}}})
	allowing, err2 := policy.New(policy.Rules{Access: policy.Access{AllowedSpaces: []string{"OPS"}}})
	if err1 != nil || err2 != nil {
		f.Fatal(err1, err2)
	}
	env := cql.Env{User: "me", Now: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)}
	f.Fuzz(func(t *testing.T, query string) {
		for _, p := range []*policy.Policy{denying, allowing} {
			narrowed, err := p.CQL(query)
			if err != nil {
				continue
			}
			before, refusedBefore := cql.Parse(query)
			after, refused := cql.Parse(narrowed)
			if refused != nil {
				if refusedBefore == nil {
					t.Errorf("%q is understood, %q is not: %v", query, narrowed, refused)
				}
				continue
			}
			if _, found := after.Match(doc("LEGAL"), env); found {
				t.Errorf("%q became %q, which reaches a denied space", query, narrowed)
			}
			if refusedBefore != nil {
				continue
			}
			_, was := before.Match(doc("OPS"), env)
			if _, is := after.Match(doc("OPS"), env); is != was {
				t.Errorf("%q finds an allowed page: %v; %q: %v", query, was, narrowed, is)
			}
		}
	})
}
