package atlassiansim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/openapi"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// wanted is a request and the status it should get.
type wanted struct {
	method, path string
	body         any
	status       int
}

func storage(text string) map[string]string {
	return map[string]string{"representation": "storage", "value": text}
}

// everyOperation is what the simulated Confluence can do, as clients ask for
// it.
func (r *rig) everyOperation(token string) []wanted {
	page := r.AnyPage("ENG")
	var got struct {
		SpaceID  string `json:"spaceId"`
		ParentID string `json:"parentId"`
	}
	r.api(token, "GET", "/api/v2/pages/"+page.ID, nil).into(r.t, &got)
	v2, v1, home := "/api/v2", "/rest/api", got.ParentID
	ada, _ := r.Person("ada")
	cql := url.QueryEscape(`text ~ "deployment"`)
	return append(append(r.collaboration(token), r.objects(token)...), []wanted{
		{"GET", v2 + "/spaces?limit=2&status=current", nil, 200},
		{"GET", v2 + "/spaces?keys=ENG,OPS&sort=-name&description-format=plain&type=global", nil, 200},
		{"GET", v2 + "/spaces?ids=" + got.SpaceID, nil, 200},
		{"GET", v2 + "/spaces/" + got.SpaceID, nil, 200},
		{"GET", v2 + "/spaces/1", nil, 404},
		{"GET", v2 + "/spaces/" + got.SpaceID + "/pages?title=" + url.QueryEscape(page.Title) + "&status=current&limit=50", nil, 200},
		{"GET", v2 + "/spaces/" + got.SpaceID + "/pages?depth=root&body-format=storage&sort=-modified-date", nil, 200},
		{"GET", v2 + "/pages?limit=3&space-id=" + got.SpaceID, nil, 200},
		{"GET", v2 + "/pages?id=" + page.ID + "&body-format=atlas_doc_format", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "?body-format=storage", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "?body-format=view&include-labels=true", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "?body-format=atlas_doc_format&version=1", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "?version=99", nil, 404},
		{"GET", v2 + "/pages/1", nil, 404},
		{"GET", v2 + "/pages/" + page.ID + "/versions?limit=1&sort=-modified-date&body-format=storage", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "/versions/1", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "/labels", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "/attachments", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "/ancestors", nil, 200},
		{"GET", v2 + "/pages/" + page.ID + "/direct-children", nil, 200},
		{"GET", v2 + "/blogposts?body-format=storage", nil, 200},
		{"GET", v2 + "/blogposts/" + page.ID, nil, 404},
		{"POST", v2 + "/users-bulk", map[string]any{"accountIds": []string{ada.AccountID, "nobody"}}, 200},
		{"POST", v2 + "/pages", map[string]any{"spaceId": got.SpaceID, "status": "current", "title": "Made by a test", "body": storage("<p>x</p>")}, 200},
		{"POST", v2 + "/pages", map[string]any{"spaceId": got.SpaceID, "status": "current", "title": "Made by a test", "body": storage("<p>x</p>")}, 400},
		{"POST", v2 + "/pages", map[string]any{"spaceId": got.SpaceID, "status": "current", "title": "A live doc", "subtype": "live", "body": storage("<p>x</p>")}, 200},
		{"GET", v2 + "/spaces/" + got.SpaceID + "/pages?title=A+live+doc", nil, 200},
		{"POST", v2 + "/pages", map[string]any{"spaceId": "1", "title": "Nowhere", "body": storage("")}, 404},
		{"PUT", v2 + "/pages/" + page.ID, map[string]any{"id": page.ID, "status": "current", "title": page.Title, "body": storage("<p>new</p>"), "version": map[string]any{"number": page.Version + 1, "message": "m"}}, 200},
		{"PUT", v2 + "/pages/" + page.ID, map[string]any{"id": page.ID, "status": "current", "title": page.Title, "body": storage("<p>new</p>"), "version": map[string]any{"number": page.Version + 1}}, 409},
		{"PUT", v2 + "/pages/" + page.ID + "/title", map[string]any{"status": "current", "title": "Renamed"}, 200},
		{"GET", v2 + "/pages/" + page.ID + "/descendants?depth=3&limit=5", nil, 200},
		{"PUT", v1 + "/content/" + page.ID + "/move/append/" + home, nil, 200},
		{"PUT", v1 + "/content/" + page.ID + "/move/append/" + page.ID, nil, 400},
		{"PUT", v1 + "/content/" + page.ID + "/move/before/1", nil, 404},
		{"POST", v1 + "/content/" + page.ID + "/copy", map[string]any{"destination": map[string]any{"type": "parent_page", "value": home}, "pageTitle": "A copy", "copyLabels": true}, 200},
		{"POST", v1 + "/content/" + page.ID + "/copy", map[string]any{"destination": map[string]any{"type": "space", "value": "ENG"}, "pageTitle": "A copy"}, 400},
		{"POST", v1 + "/content/" + page.ID + "/pagehierarchy/copy", map[string]any{"destinationPageId": home, "titleOptions": map[string]any{"prefix": "Copy of "}}, 202},
		{"GET", v1 + "/longtask/1", nil, 404},
		{"POST", v1 + "/content/archive", map[string]any{"pages": []map[string]any{{"id": number(home)}}}, 202},
		{"GET", v1 + "/template/page?expand=body", nil, 200},
		{"GET", v1 + "/template/page?spaceKey=OPS", nil, 200},
		{"GET", v1 + "/template/65602", nil, 200},
		{"POST", v2 + "/blogposts", map[string]any{"spaceId": got.SpaceID, "status": "draft", "title": "Post", "body": storage("<p>x</p>")}, 200},
		{"GET", v2 + "/blogposts/1/versions", nil, 404},
		{"PUT", v2 + "/blogposts/1", map[string]any{"id": "1", "status": "current", "title": "Post", "body": storage("<p>x</p>"), "version": map[string]any{"number": 1}}, 404},
		{"DELETE", v2 + "/blogposts/1", nil, 404},
		{"DELETE", v2 + "/pages/" + page.ID, nil, 204},
		{"GET", v1 + "/search?limit=2&excerpt=highlight&expand=content.space&cql=" + cql, nil, 200},
		{"GET", v1 + "/search?start=2&cql=" + cql, nil, 200},
		{"GET", v1 + "/search?cql=" + url.QueryEscape("type = space"), nil, 200},
		{"GET", v1 + "/search?cql=" + url.QueryEscape("type ="), nil, 400},
		{"GET", v1 + "/user/current", nil, 200},
		{"GET", v1 + "/user?accountId=" + ada.AccountID, nil, 200},
		{"GET", v1 + "/user?accountId=nobody", nil, 404},
	}...)
}

// Everything that is asked and answered is as Atlassian describes it.
func TestExchangesAreAsDescribed(t *testing.T) {
	spec, err := openapi.Load(testenv.OpenAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	var problems []error
	count := 0
	r := newRig(t, atlassiansim.Options{Record: func(e atlassiansim.Exchange) {
		count++
		for _, p := range spec.CheckExchange(e.Request, e.Body, e.Status, e.Answer) {
			problems = append(problems, fmt.Errorf("%s: %w in %.300s", e.Request.URL, p, e.Answer))
		}
	}})
	token := r.as("ada")
	all := r.everyOperation(token)
	for _, w := range all {
		if got := r.api(token, w.method, w.path, w.body); got.Status != w.status {
			t.Errorf("%s %s answers %d %.200s, want %d", w.method, w.path, got.Status, got.Text, w.status)
		}
	}
	if count < len(all) {
		t.Errorf("%d exchanges were recorded, want %d", count, len(all))
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// Each operation takes exactly the scopes of its description.
func TestScopesAreAsDescribed(t *testing.T) {
	spec, err := openapi.Load(testenv.OpenAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, atlassiansim.Options{})
	for _, w := range r.everyOperation(r.as("ada")) {
		path, _, _ := strings.Cut(w.path, "?")
		needed, err := spec.Scopes(w.method, "/wiki"+path)
		if err != nil || len(needed) == 0 {
			t.Errorf("%s %s: scopes %v, %v", w.method, path, needed, err)
			continue
		}
		for _, scope := range needed {
			token, _ := r.MintToken("ada", []string{scope})
			if got := r.api(token, w.method, w.path, w.body); got.Status == http.StatusUnauthorized {
				t.Errorf("%s %s with %s answers %d %s", w.method, path, scope, got.Status, got.Text)
			}
		}
		token, _ := r.MintToken("ada", []string{"read:app-data:confluence"})
		got := r.api(token, w.method, w.path, w.body)
		if got.Status != http.StatusUnauthorized || !strings.Contains(got.Text, `{"code":401,"message":"Unauthorized; scope does not match"}`) || got.Header.Get("X-Failure-Category") != "FAILURE_CLIENT_SCOPE_CHECK" {
			t.Errorf("%s %s without scope answers %d %s", w.method, path, got.Status, got.Text)
		}
	}
}

// number is an id where the description wants a number.
func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}
