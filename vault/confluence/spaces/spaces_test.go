package spaces_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/confluencetest"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/spaces"
)

const one = `{"id":65,"key":"ENG","name":"Engineering","type":"global","status":"current","authorId":"a","homepageId":"9",
 "description":{"plain":{"value":"How we build"}},"labels":{"results":[{"name":"team"}]},"_links":{"webui":"/spaces/ENG"}}`

func TestReading(t *testing.T) {
	site := &confluencetest.Site{Answers: map[string]string{
		"GET /api/v2/spaces":                `{"results":[` + one + `],"_links":{"next":"/wiki/api/v2/spaces?cursor=c2"}}`,
		"GET /api/v2/spaces/65":             one,
		"GET /api/v2/spaces/65/permissions": `{"results":[{"id":"1","principal":{"type":"group","id":"g"},"operation":{"key":"create","targetType":"page"}}]}`,
	}}
	c := site.Client(t)
	want := spaces.Space{
		ID: "65", Key: "ENG", Name: "Engineering", Type: "global", Status: "current", Author: "a", HomeID: "9", Path: "/spaces/ENG",
		Description: "How we build", Labels: []string{"team"},
	}
	got, err := spaces.Get(t.Context(), c, "65")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	list, next, err := spaces.List(t.Context(), c, spaces.Filter{Type: "global", Status: "archived", Labels: []string{"a", "b"}, FavouriteOf: "me", Limit: 3, Cursor: "c1"})
	if diff := cmp.Diff([]spaces.Space{want}, list); diff != "" || next != "c2" || err != nil {
		t.Error(err, next, diff)
	}
	may, _, err := spaces.Permissions(t.Context(), c, "65", "")
	if diff := cmp.Diff([]spaces.Permission{{Kind: "group", ID: "g", May: "create page"}}, may); diff != "" || err != nil {
		t.Error(err, diff)
	}
	asked := []string{
		"GET /api/v2/spaces/65?description-format=plain&include-labels=true",
		"GET /api/v2/spaces?cursor=c1&favorited-by=me&labels=a&labels=b&limit=3&status=archived&type=global",
		"GET /api/v2/spaces/65/permissions?limit=250",
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
}

// A space is created once: the older way is taken only after a refusal.
func TestCreating(t *testing.T) {
	n := spaces.New{Key: "NEW", Name: "New", Description: "d"}
	older := `{"id":7,"key":"NEW","name":"New","_expandable":{"homepage":"/rest/api/content/12"}}`
	for status, want := range map[string]int{"404": 2, "400": 2, "403": 2, "410": 2, "500": 1, "409": 1, `{"id":"7","key":"NEW","name":"New"}`: 1, `{"id":"7"}`: 1} {
		site := &confluencetest.Site{Answers: map[string]string{"POST /api/v2/spaces": status, "POST /rest/api/space": older}}
		made, err := spaces.Create(t.Context(), site.Client(t), n)
		if got := len(site.Asked()); got != want {
			t.Errorf("%s: %d requests, want %d", status, got, want)
		}
		switch {
		case want == 2 && (err != nil || made.HomeID != "12"):
			t.Errorf("%s: %+v %v", status, made, err)
		case (status == "500" || status == `{"id":"7"}`) && !confluence.Unsure(err):
			t.Errorf("%s: %v", status, err)
		}
	}
	site := &confluencetest.Site{Answers: map[string]string{"POST /api/v2/spaces": "400", "POST /rest/api/space/_private": older}}
	n.Private = true
	if _, err := spaces.Create(t.Context(), site.Client(t), n); err != nil {
		t.Error(err)
	}
	asked := []string{
		`POST /api/v2/spaces {"createPrivateSpace":true,"description":{"representation":"plain","value":"d"},"key":"NEW","name":"New"}`,
		`POST /rest/api/space/_private {"description":{"plain":{"representation":"plain","value":"d"}},"key":"NEW","name":"New"}`,
	}
	if diff := cmp.Diff(asked, site.Asked()); diff != "" {
		t.Error(diff)
	}
}
