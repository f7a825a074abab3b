package atlassiansim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// The traps have the numbers of the fact sheet on Confluence's API.

func TestTrap1TokensWorkOnlyAtTheGateway(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	if got := r.ask(token, "GET", "/wiki/api/v2/spaces", nil); got.Status != 401 {
		t.Errorf("the site's own host answers %d %s", got.Status, got.Text)
	}
	for name, token := range map[string]string{"none": "", "nonsense": "nonsense"} {
		if got := r.api(token, "GET", "/api/v2/spaces", nil); got.Status != 401 || !strings.Contains(got.Text, `{"code":401,"message":"Unauthorized"}`) {
			t.Errorf("with token %s: %d %s", name, got.Status, got.Text)
		}
	}
	if got := r.ask(token, "GET", "/ex/confluence/00000000-0000-4000-8000-000000000000/wiki/api/v2/spaces", nil); got.Status != 404 {
		t.Errorf("an unknown site answers %d", got.Status)
	}
	if got := r.ask("", "GET", "/_edge/tenant_info", nil); !strings.Contains(got.Text, r.CloudID("acme")) {
		t.Errorf("tenant_info: %s", got.Text)
	}
}

func TestTrap2RemovedEndpointsAreGone(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	id := r.AnyPage("ENG").ID
	for _, path := range []string{"/content", "/content/" + id, "/content/" + id + "/child/page", "/content/" + id + "/label", "/content/" + id + "/version", "/space", "/space/ENG", "/space/ENG/content"} {
		got := r.api(token, "GET", "/rest/api"+path, nil)
		if got.Status != http.StatusGone || !strings.Contains(got.Text, `"statusCode":410`) || !strings.Contains(got.Text, "GoneException") {
			t.Errorf("%s: %d %s", path, got.Status, got.Text)
		}
	}
}

func TestTrap10LinksToTheNextPage(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	type list struct {
		Results []struct {
			ID, Key string
			Content struct{ ID string }
		}
		TotalSize int
		Links     struct{ Next, Base, Self string } `json:"_links"`
	}
	seen := map[string]bool{}
	path, pages := "/api/v2/spaces?limit=2", 0
	for path != "" {
		var l list
		got := r.api(token, "GET", path, nil)
		got.into(t, &l)
		for _, s := range l.Results {
			seen[s.Key] = true
		}
		if l.Links.Next != "" && !strings.HasPrefix(l.Links.Next, "/wiki/api/v2/spaces?") {
			t.Errorf("next of v2 is %q", l.Links.Next)
		}
		if l.Links.Base != r.SiteURL("acme")+"/wiki" {
			t.Errorf("base is %q", l.Links.Base)
		}
		if header := got.Header.Get("Link"); (l.Links.Next != "") != strings.Contains(header, `rel="next"`) {
			t.Errorf("Link is %q, next %q", header, l.Links.Next)
		}
		path = strings.TrimPrefix(l.Links.Next, "/wiki")
		pages++
	}
	if len(seen) != 5 || pages != 3 {
		t.Errorf("%d spaces in %d pages", len(seen), pages)
	}

	all := map[string]bool{}
	path = "/rest/api/search?limit=4&cql=" + url.QueryEscape("type = page order by created desc")
	total := 0
	for path != "" {
		var l list
		r.api(token, "GET", path, nil).into(t, &l)
		for _, h := range l.Results {
			all[h.Content.ID] = true
		}
		total = l.TotalSize
		if path = l.Links.Next; path != "" && !strings.HasPrefix(path, "/rest/api/search?") {
			t.Errorf("next of v1 is %q", path)
		}
	}
	if len(all) != total || total < 15 {
		t.Errorf("%d results, total %d", len(all), total)
	}
}

func TestTrap12VersionsGoUpByOne(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	page := r.AnyPage("ENG")
	put := func(number int) answer {
		return r.api(token, "PUT", "/api/v2/pages/"+page.ID, map[string]any{
			"id": page.ID, "status": "current", "title": page.Title, "body": storage("<p>" + strconv.Itoa(number) + "</p>"), "version": map[string]int{"number": number},
		})
	}
	for _, number := range []int{page.Version, page.Version + 2} {
		want := fmt.Sprintf("Current Version: [%d]. Provided version: [%d]", page.Version, number)
		if got := put(number); got.Status != 409 || !strings.Contains(got.Text, want) || !strings.Contains(got.Text, `"code":"CONFLICT"`) {
			t.Errorf("version %d: %d %s", number, got.Status, got.Text)
		}
	}
	if got := put(page.Version + 1); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Text)
	}
	if now, _ := r.PageByID(page.ID); now.Version != page.Version+1 || now.Body != fmt.Sprintf("<p>%d</p>", page.Version+1) {
		t.Errorf("%+v", now)
	}
}

func TestTrap13DeletedPagesAreInTheTrash(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	id := r.AnyPage("ENG").ID
	if got := r.api(token, "DELETE", "/api/v2/pages/"+id, nil); got.Status != 204 {
		t.Fatalf("%+v", got)
	}
	if got := r.api(token, "GET", "/api/v2/pages/"+id, nil); got.Status != 200 || !strings.Contains(got.Text, `"status":"trashed"`) {
		t.Errorf("%d %s", got.Status, got.Text)
	}
	if got := r.api(token, "DELETE", "/api/v2/pages/"+id+"?purge=true", nil); got.Status != 204 {
		t.Errorf("%d", got.Status)
	}
	if got := r.api(token, "GET", "/api/v2/pages/"+id, nil); got.Status != 404 {
		t.Errorf("%d", got.Status)
	}
}

func TestTrap15TheIndexLags(t *testing.T) {
	r := newRig(t, atlassiansim.Options{IndexLag: time.Hour})
	token := r.as("ada")
	made := r.CreatePages("ENG", 1)[0]
	find := func() int {
		var hits struct{ TotalSize int }
		r.api(token, "GET", "/rest/api/search?cql="+url.QueryEscape(`title = "`+made.Title+`"`), nil).into(t, &hits)
		return hits.TotalSize
	}
	if n := find(); n != 0 {
		t.Errorf("found %d pages at once", n)
	}
	if got := r.api(token, "GET", "/api/v2/pages/"+made.ID, nil); got.Status != 200 {
		t.Errorf("by id: %d", got.Status)
	}
	r.SetIndexLag(0)
	if n := find(); n != 1 {
		t.Errorf("found %d pages when the index has caught up", n)
	}
}

func TestTrap16NoPermissionIsNotFound(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	forecast, ok := r.PageByTitle("FIN", "Forecast for the fourth quarter")
	restricted, ok2 := r.PageByTitle("OPS", "Break-glass access to production")
	guide, ok3 := r.PageByTitle("ENG", "Deployment guide")
	if !ok || !ok2 || !ok3 {
		t.Fatal("the seed lacks a page")
	}
	for _, c := range []struct {
		person, page string
		status       int
	}{
		{"chloe", forecast.ID, 200}, {"ada", forecast.ID, 404}, {"ben", restricted.ID, 200}, {"chloe", restricted.ID, 404},
		{"farid", guide.ID, 200}, {"gus", guide.ID, 403},
	} {
		if got := r.api(r.as(c.person), "GET", "/api/v2/pages/"+c.page, nil); got.Status != c.status {
			t.Errorf("%s asks for %s: %d %s", c.person, c.page, got.Status, got.Text)
		}
	}
	write := func(person string) answer {
		return r.api(r.as(person), "PUT", "/api/v2/pages/"+guide.ID, map[string]any{
			"id": guide.ID, "status": "current", "title": guide.Title, "body": storage("<p/>"), "version": map[string]int{"number": guide.Version + 1},
		})
	}
	if got := write("chloe"); got.Status != 404 {
		t.Errorf("chloe writes to ENG: %d", got.Status)
	}
	for person, want := range map[string]int{"ada": 0, "chloe": 1} {
		var hits struct{ TotalSize int }
		r.api(r.as(person), "GET", "/rest/api/search?cql="+url.QueryEscape(`title = "Forecast for the fourth quarter"`), nil).into(t, &hits)
		if hits.TotalSize != want {
			t.Errorf("%s finds %d", person, hits.TotalSize)
		}
	}
	r.Restrict(guide.ID, "ben")
	if got := r.api(r.as("ada"), "GET", "/api/v2/pages/"+guide.ID, nil); got.Status != 404 {
		t.Errorf("after the restriction: %d", got.Status)
	}
	r.Restrict(guide.ID)
	if got := r.api(r.as("ada"), "GET", "/api/v2/pages/"+guide.ID, nil); got.Status != 200 {
		t.Errorf("after it was lifted: %d", got.Status)
	}
}

func TestTrap18RateLimits(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	r.Fail(1, atlassiansim.RateLimited(7*time.Second, "conf-global-based"))
	r.Fail(1, atlassiansim.RateLimited(0, ""))
	first, second, third := r.api(token, "GET", "/api/v2/spaces", nil), r.api(token, "GET", "/api/v2/spaces", nil), r.api(token, "GET", "/api/v2/spaces", nil)
	if first.Status != 429 || first.Header.Get("Retry-After") != "7" || first.Header.Get("RateLimit-Reason") != "conf-global-based" {
		t.Errorf("%+v", first)
	}
	if second.Status != 429 || second.Header.Get("Retry-After") != "" {
		t.Errorf("%+v", second)
	}
	if third.Status != 200 {
		t.Errorf("%+v", third)
	}
}

func TestTrap19ErrorsAreNotAlwaysJSON(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	for _, c := range []struct {
		method, path string
		status       int
		part         string
	}{
		{"PATCH", "/api/v2/pages/1", 405, "<html>"},
		{"GET", "/rest/api/content/1/nonsense/x", 404, "<html>"},
		{"GET", "/elsewhere", 404, "<html>"},
		{"GET", "/rest/api/nonsense", 404, `"status-code":404`},
		{"POST", "/api/v2/spaces/1", 405, "METHOD_NOT_ALLOWED"},
		{"GET", "/api/v2/nonsense", 404, `"code":"NOT_FOUND"`},
		{"GET", "/api/v2/pages/abc", 400, "INVALID_REQUEST_PARAMETER"},
		{"GET", "/api/v2/spaces?limit=1000", 400, "INVALID_REQUEST_PARAMETER"},
		{"GET", "/api/v2/spaces?cursor=%00", 400, "INVALID_REQUEST_PARAMETER"},
		{"GET", "/rest/api/search", 400, "cql query parameter is required"},
		{"GET", "/rest/api/search?cql=x", 400, "Could not parse cql : x"},
		{"GET", "/rest/api/search?cql=type%3Dpage&cursor=bad", 400, "XP-Search Aggregator API"},
		{"GET", "/rest/api/search?cql=type%3Dpage&limit=-1", 400, "IllegalArgumentException"},
	} {
		got := r.api(token, c.method, c.path, nil)
		if got.Status != c.status || !strings.Contains(got.Text, c.part) || got.Header.Get("Atl-Traceid") == "" {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.Status, got.Text)
		}
	}
}

func TestTrap11FilesAreElsewhere(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	page, _ := r.PageByTitle("ENG", "Metering service")
	var list struct{ Results []struct{ ID, Title string } }
	r.api(token, "GET", "/api/v2/pages/"+page.ID+"/attachments", nil).into(t, &list)
	if len(list.Results) != 1 || !strings.HasPrefix(list.Results[0].ID, "att") {
		t.Fatalf("%+v", list)
	}
	got := r.api(token, "GET", "/rest/api/content/"+page.ID+"/child/attachment/"+list.Results[0].ID+"/download", nil)
	to, err := url.Parse(got.Header.Get("Location"))
	if err != nil || got.Status != 302 || "http://"+to.Host == r.url {
		t.Fatalf("%d to %q", got.Status, to)
	}
	if got := r.ask(token, "GET", to.RequestURI(), nil); got.Status != 400 {
		t.Errorf("with the token: %d", got.Status)
	}
	if got := r.ask("", "GET", to.RequestURI(), nil); got.Status != 200 || !strings.Contains(got.Text, "metering-overview.png") {
		t.Errorf("%d %s", got.Status, got.Text)
	}
}

func TestTitlesAreUnique(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	var spaces struct{ Results []struct{ ID string } }
	r.api(token, "GET", "/api/v2/spaces?keys=ENG", nil).into(t, &spaces)
	create := func(title string) answer {
		return r.api(token, "POST", "/api/v2/pages", map[string]any{"spaceId": spaces.Results[0].ID, "status": "current", "title": title, "body": storage("<p>x</p>")})
	}
	for _, title := range []string{"Deployment guide", "deployment GUIDE", "Deployment with the old scripts"} {
		if got := create(title); got.Status != 400 || !strings.Contains(got.Text, "A page with this title already exists") {
			t.Errorf("%s: %d %s", title, got.Status, got.Text)
		}
	}
	for text, part := range map[string]string{"<p>x": "Error parsing xhtml", strings.Repeat("x", 5<<20+1): "too large"} {
		got := r.api(token, "POST", "/api/v2/pages", map[string]any{"spaceId": spaces.Results[0].ID, "title": "Bad", "body": storage(text)})
		if got.Status < 400 || !strings.Contains(got.Text, part) {
			t.Errorf("%d %s", got.Status, got.Text)
		}
	}
	if r.CountPages("ENG", "Bad") != 0 {
		t.Error("a page was made of a bad body")
	}
}
