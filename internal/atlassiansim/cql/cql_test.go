package cql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
)

func now() time.Time { return time.Date(2026, 10, 14, 12, 0, 0, 0, time.UTC) }

func doc(id, space, title, text string, days int, labels ...string) *cql.Doc {
	d := &cql.Doc{
		ID: id, Type: "page", Title: title, SpaceKey: space, SpaceName: space + " space", SpaceType: "global", Labels: labels,
		TitleWords: cql.Words(title), Words: cql.Words(title + " " + text), Creator: "acc-ada", Contributors: []string{"acc-ada", "acc-ben"},
		Created: now().AddDate(0, 0, -days-10), Modified: now().AddDate(0, 0, -days), Parent: "1", Ancestors: []string{"1"},
	}
	return d
}

func docs() []*cql.Doc {
	personal := doc("4", "~ada", "My notes", "half-baked deployment ideas", 1)
	personal.SpaceType, personal.Creator = "personal", "acc-zoe"
	blog := doc("5", "ENG", "What we learned", "deploying on a Friday", 20)
	blog.Type = "blogpost"
	return []*cql.Doc{
		doc("1", "ENG", "Deployment guide", "how we deploy to production with the canary", 3, "runbook", "deployment"),
		doc("2", "ENG", "Release process", "a release is not a deployment", 40, "process"),
		doc("3", "LEGAL", "Contract", `the "framework agreement" for deployments`, 400),
		personal, blog,
	}
}

// match lists the ids that a query finds, in its order.
func match(t *testing.T, query string) string {
	t.Helper()
	q, err := cql.Parse(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return "error"
	}
	var found []cql.Scored
	for _, d := range docs() {
		if score, ok := q.Match(d, cql.Env{User: "acc-ada", Now: now()}); ok {
			found = append(found, cql.Scored{Doc: d, Score: score})
		}
	}
	q.Sort(found)
	var ids []string
	for _, f := range found {
		ids = append(ids, f.Doc.ID)
	}
	return strings.Join(ids, " ")
}

func TestMatch(t *testing.T) {
	for query, want := range map[string]string{
		"":                        "4 1 5 2 3",
		"order by id desc":        "5 4 3 2 1",
		"order by title":          "3 1 4 2 5",
		"space = ENG order by id": "1 2 5",
		"space = eng and type = page order by id": "1 2",
		`space = "~ada"`:                        "4",
		`space = ~ada`:                          "4",
		`space in (ENG, ~ada) order by id`:      "1 2 4 5",
		`space not in (ENG,"LEGAL")`:            "4",
		`space.type = personal`:                 "4",
		`space.title ~ "legal"`:                 "3",
		`title = "deployment GUIDE"`:            "1",
		`title ~ "guid*"`:                       "1",
		`text ~ "deployment"`:                   "1 4 3 5 2",
		`text ~ "deploying" order by id`:        "1 2 3 4 5",
		`text ~ "not deployment"`:               "2",
		`text ~ "\"framework agreement\""`:      "3",
		`text ~ "\"agreement framework\""`:      "",
		`text ~ "half-baked"`:                   "4",
		`text ~ ""`:                             "",
		`text !~ "deployment" order by id`:      "",
		`label = runbook`:                       "1",
		`label in (runbook, process)`:           "1 2",
		`label != runbook and space = ENG`:      "5 2",
		`creator = currentUser() order by id`:   "1 2 3 5",
		`contributor = "acc-ben" and id = 2`:    "2",
		`id in (1,2) order by id desc`:          "2 1",
		`ancestor = 1 and parent = 1 and id=3`:  "3",
		`lastmodified > now("-1w") order by id`: "1 4",
		`lastmodified >= startOfDay()`:          "",
		`lastmodified < "2026-01-01"`:           "3",
		`lastmodified = "2026-10-11"`:           "1",
		`created < "2025/10/01 10:00"`:          "3",
		`type = page and (space = LEGAL or space = ENG) and not title ~ "process" order by id`: "1 3",
		`type = page or space = LEGAL and id = 99 order by id`:                                 "1 2 3 4",
		`TYPE = Page AND NOT SPACE = ENG ORDER BY ID ASC`:                                      "3 4",
		`text !~ "canary" order by id`:                                                         "2 3 4 5",
		`siteSearch ~ "release"`:                                                               "2",
		`(((id = 1)))`:                                                                         "1",
	} {
		if got := match(t, query); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, query := range []string{
		"x", "title", "title =", `title = "open`, "nonsense = 1", "space ~ ENG", "title > 3", "lastmodified > soon", "lastmodified > currentUser()",
		"space = ENG and", "and space = ENG", "(space = ENG", "space = ENG)", "space in ENG", "space in (", "space in ()", "space in (ENG", "space not ENG",
		"space = ENG order by", "space = ENG order title", "order by nonsense", "space = ENG ORDER BY title, ", "creator = nobody()", `lastmodified > now("1x")`, `lastmodified > now("é")`,
		"space = ENG space = OPS", "title ! x", "text ~ ~", "space = and", "not", "()", strings.Repeat("(", 100) + "id=1" + strings.Repeat(")", 100), strings.Repeat("not ", 100) + "id=1",
		"text ~ \"" + strings.Repeat("x", 20<<10) + "\"",
	} {
		if q, err := cql.Parse(query); err != cql.ErrParse || q != nil {
			t.Errorf("%.60s is read, %v", query, err)
		}
	}
}

func TestTermsAndMentions(t *testing.T) {
	q, err := cql.Parse(`type = space and (title ~ "Release notes" or not text ~ "old*" and text ~ "deployments")`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"releas", "note", "deploy"}, q.Terms()); diff != "" {
		t.Error(diff)
	}
	if !q.Mentions("type", "SPACE") || !q.Mentions("text", "") || q.Mentions("type", "page") || q.Mentions("label", "") {
		t.Error("Mentions is wrong")
	}
}

// FuzzParse: any text gives a query or ErrParse, and a query can be run.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`space = ENG and text ~ "deployment*"`, `lastmodified > now("-4w") order by title desc, id`, `not (a = b)`, `space in (~x, "y")`,
		`title ~ "\"a b\" c"`, `created >= "2026-01-01"`, "\"", "~", `label != 'x'`, `text ~ "é*"`, `text ~ "*"`,
	} {
		f.Add(seed)
	}
	all := docs()
	f.Fuzz(func(t *testing.T, text string) {
		q, err := cql.Parse(text)
		if err != nil {
			if err != cql.ErrParse {
				t.Errorf("%v", err)
			}
			return
		}
		var found []cql.Scored
		for _, d := range all {
			if score, ok := q.Match(d, cql.Env{User: "acc-ada", Now: now()}); ok {
				found = append(found, cql.Scored{Doc: d, Score: score})
			}
		}
		q.Sort(found)
		_ = q.Terms()
	})
}
