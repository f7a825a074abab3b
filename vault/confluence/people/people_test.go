package people_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/confluencetest"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/people"
)

func TestPeople(t *testing.T) {
	const ada = `{"type":"known","accountId":"1:a","accountType":"atlassian","publicName":"ada","displayName":"Ada Berger","email":"","accountStatus":"active"}`
	const shy = `{"accountId":"1:b","publicName":"shy","displayName":null}`
	site := &confluencetest.Site{Answers: map[string]string{
		"POST /api/v2/users-bulk":                 `{"results":[` + ada + `,` + shy + `,{"displayName":"nobody"}]}`,
		"GET /rest/api/search/user":               `{"results":[{"user":` + ada + `},{"title":"no user"}],"_links":{"next":"/rest/api/search/user?cql=x&start=25&limit=25"}}`,
		"GET /rest/api/group":                     `{"results":[{"id":"g1","name":"users"}],"_links":{}}`,
		"GET /rest/api/group/picker":              `{"results":[],"_links":{"next":"/rest/api/group/picker?query=x&start=none"}}`,
		"GET /rest/api/group/by-id":               `{"id":"g1","name":"users"}`,
		"GET /rest/api/group/g1/membersByGroupId": `{"results":[` + shy + `]}`,
	}}
	c := site.Client(t)
	adas := people.User{AccountID: "1:a", Name: "Ada Berger", Status: "active", Type: "atlassian"}
	shys := people.User{AccountID: "1:b", Name: "shy"}
	bulk, err1 := people.Bulk(t.Context(), c, []string{"1:a", "1:b"})
	found, next, err2 := people.Search(t.Context(), c, `user.fullname ~ "ada"`, 25, 0)
	groups, end, err3 := people.Groups(t.Context(), c, "", 10, 5)
	members, _, err4 := people.Members(t.Context(), c, "g1", 10, 0)
	for i, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Error(i, err)
		}
	}
	if diff := cmp.Diff([][]people.User{{adas, shys}, {adas}, {shys}}, [][]people.User{bulk, found, members}); diff != "" || next != 25 || end != 0 {
		t.Error(next, end, diff)
	}
	if diff := cmp.Diff([]people.Group{{ID: "g1", Name: "users"}}, groups); diff != "" {
		t.Error(diff)
	}
	// A place to go on that is none would be asked for ever.
	if _, _, err := people.Groups(t.Context(), c, "x", 10, 0); !confluence.Is(err, confluence.KindProtocol) {
		t.Error(err)
	}
	if g, err := people.GroupByID(t.Context(), c, "g1"); err != nil || g.Name != "users" {
		t.Error(g, err)
	}
	if _, err := people.GroupByID(t.Context(), c, "g2"); !confluence.Is(err, confluence.KindProtocol) {
		t.Error(err)
	}
	// What is no id of a group is no step of a path, escaped or not.
	for _, group := range []string{"../../content/101/child/a-b-c-d-e-ff", "g1/../g2", "..", "g1%2f", ""} {
		if _, _, err := people.Members(t.Context(), c, group, 10, 0); !confluence.Is(err, confluence.KindNotFound) {
			t.Errorf("%q: %v", group, err)
		}
	}
	asked := []string{
		`POST /api/v2/users-bulk {"accountIds":["1:a","1:b"]}`, "GET /rest/api/search/user?cql=user.fullname+~+%22ada%22&limit=25",
		"GET /rest/api/group?limit=10&start=5", "GET /rest/api/group/g1/membersByGroupId?limit=10", "GET /rest/api/group/picker?limit=10&query=x",
		"GET /rest/api/group/by-id?id=g1", "GET /rest/api/group/by-id?id=g2",
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
}

func TestCurrent(t *testing.T) {
	const path = "GET /rest/api/user/current"
	site := &confluencetest.Site{Answers: map[string]string{path: `{"type":"known","accountId":"acc-1","publicName":"Ann","displayName":"Ann Lee","locale":"x"}`}}
	c := site.Client(t)
	if got, err := people.Current(t.Context(), c); err != nil || got != (people.User{AccountID: "acc-1", Name: "Ann Lee"}) {
		t.Errorf("%+v, %v", got, err)
	}
	site.Answers[path] = `{"type":"anonymous"}`
	if _, err := people.Current(t.Context(), c); !confluence.Is(err, confluence.KindProtocol) {
		t.Errorf("nobody: %v", err)
	}
}
