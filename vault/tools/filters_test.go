package tools_test

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/people"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// cqlString is a string of CQL as Confluence reads it.
var cqlString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// bones is a query without its values.
func bones(cql string) string { return cqlString.ReplaceAllString(cql, "S") }

// asked is the query of the last search, "" if none was made.
func (r *rig) asked(t testing.TB) string {
	t.Helper()
	for _, line := range r.requests {
		if _, rest, ok := strings.Cut(line, "/rest/api/search?"); ok {
			query, err := url.ParseQuery(strings.TrimSuffix(rest, " => 200"))
			if err != nil {
				t.Fatal(line, err)
			}
			return query.Get("cql")
		}
	}
	return ""
}

// FuzzFilters: whatever stands in a filter of a search, the query has the same
// bones as that of an honest one, and Confluence understands it.
func FuzzFilters(f *testing.F) {
	for _, seed := range []string{"plan", `x" OR space = "LEGAL`, `x\" OR space = \"LEGAL`, `\`, `\\"`, `")) OR (space = "LEGAL`, "a\nb", "currentUser()", `' OR '`, "“x”", "\xff", "x ORDER BY title", "*", "me"} {
		f.Add(seed, seed, seed)
	}
	r := newRig(f, atlassiansim.Options{})
	c := r.connect()
	f.Fuzz(func(t *testing.T, words, label, author string) {
		arguments, err := json.Marshal(map[string]any{"query": words, "title_only": true, "labels": []string{label}, "author": author, "space": "ENG", "sort": "updated"})
		if err != nil {
			t.Fatal(err)
		}
		r.t, r.requests = t, nil
		answer := c.call("confluence_search", string(arguments))
		cql := r.asked(t)
		if cql == "" {
			if !answer.IsError {
				t.Errorf("%s: nothing was asked, and nothing is wrong", arguments)
			}
			return
		}
		if answer.IsError {
			t.Errorf("%s: Confluence does not understand %s", arguments, cql)
		}
		got := strings.NewReplacer("creator = currentUser()", "creator = S", "label IN (S, S)", "label = S").Replace(bones(cql))
		labelled := strings.NewReplacer("label = S AND ", "", "creator = S AND ", "").Replace(got)
		if want := "(title ~ S) AND type IN (S, S) AND space = S AND space NOT IN (S) ORDER BY lastmodified DESC"; labelled != want && !strings.Contains(label, ",") {
			t.Errorf("%s: %s", arguments, cql)
		}
	})
}

// FuzzPeople: the search for people holds nothing but words.
func FuzzPeople(f *testing.F) {
	for _, seed := range []string{"ada berger", `x" OR user = "y`, `a\" OR b`, "ada@acme.example", "*", `\`} {
		f.Add(seed)
	}
	r := newRig(f, atlassiansim.Options{})
	r.toolsets = []string{"people"}
	r.start()
	c := r.connect()
	f.Fuzz(func(t *testing.T, name string) {
		arguments, err := json.Marshal(map[string]any{"query": name})
		if err != nil {
			t.Fatal(err)
		}
		r.t, r.requests = t, nil
		answer := c.call("confluence_find_people", string(arguments))
		for _, line := range r.requests {
			if _, rest, ok := strings.Cut(line, "/rest/api/search/user?"); ok {
				query, err := url.ParseQuery(strings.TrimSuffix(rest, " => 200"))
				if err != nil || answer.IsError {
					t.Fatalf("%s: %s %v", arguments, line, err)
				}
				if left := strings.ReplaceAll(strings.ReplaceAll(bones(query.Get("cql")), "user.fullname ~ S", ""), " AND ", ""); left != "" {
					t.Errorf("%s: %s", arguments, query.Get("cql"))
				}
			}
		}
	})
}

// Names of people are asked for once, in bulk, and for each person anew; those
// that are not known are not asked for again.
func TestNamesAreRemembered(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	ada, _ := r.sim.Person("ada")
	ben, _ := r.sim.Person("ben")
	names := func(accounts ...string) map[string]string {
		t.Helper()
		out, err := guard.Do(identity.With(context.Background(), r.caller), r.door, guard.Op[map[string]string]{
			Tool: "test", Run: func(ctx context.Context, w *guard.Wiki) (map[string]string, error) {
				return people.Names(ctx, w, accounts), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := names(ada.AccountID, "nobody", ada.AccountID, "")
	if len(got) != 1 || got[ada.AccountID] != "Ada Berger" || r.sent("POST") != 1 {
		t.Error(got, r.requests)
	}
	if got = names("nobody", ada.AccountID); len(got) != 1 || r.sent("POST") != 1 {
		t.Error(got, r.requests)
	}
	if got = names(ada.AccountID, ben.AccountID); len(got) != 2 || r.sent("POST") != 2 {
		t.Error(got, r.requests)
	}
	r.caller = signedIn("p_ben")
	if got = names(ada.AccountID); len(got) != 1 || r.sent("POST") != 3 {
		t.Error(got, r.requests)
	}
	// Without the permission there are no names, and no call fails for it.
	r.caller, r.scopes, r.token = signedIn("p_chloe"), []string{"read:page:confluence"}, map[string]string{}
	for range 2 {
		if got = names(ada.AccountID); len(got) != 0 || r.sent("POST") != 4 {
			t.Error(got, r.requests)
		}
	}
}
