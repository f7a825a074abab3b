package tools_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/icon"
)

// asked sends a request and reads its result into T; it returns the text of an
// error.
func asked[T any](c *client, method string, params any) (out T, refused string) {
	c.r.t.Helper()
	answer := c.ask(method, encode(c.r.t, params))
	if json.Unmarshal(answer, &refused) == nil {
		return out, refused
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		c.r.t.Fatalf("%s: %v in %s", method, err, answer)
	}
	return out, ""
}

type listed struct {
	Resources []struct{ URI, Name, Description, MIMEType string }
	Next      string `json:"nextCursor"`
	Scope     string `json:"cacheScope"`
}

type contents struct {
	Contents []struct{ URI, MIMEType, Text, Blob string }
}

type completed struct {
	Completion struct {
		Values []string
		Total  int
		More   bool `json:"hasMore"`
	}
}

func (r *rig) lastAudit() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.audited) == 0 {
		return ""
	}
	e := r.audited[len(r.audited)-1]
	return e.Event + " " + e.Outcome + " " + e.Tool + " " + strings.Join(e.Objects, " ")
}

// TestListResources lists what a person has worked on, part by part, for one
// request a part.
func TestListResources(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	c := r.connect()
	r.person = "ben"
	var want []string
	for i := range 30 {
		want = append(want, r.put("ben", "ENG", fmt.Sprintf("Ben's page %02d", i), "<p>x</p>"))
	}
	slices.Reverse(want)
	first, refused := asked[listed](c, "resources/list", object{})
	if refused != "" || len(first.Resources) != 25 || first.Next == "" || first.Scope != "private" {
		t.Fatalf("the first part: %+v %s", first, refused)
	}
	if got := first.Resources[0]; got.URI != "confluence://acme/pages/"+want[0] || got.Name != "Ben's page 29" || got.MIMEType != "text/markdown" || !strings.Contains(got.Description, "ENG") {
		t.Errorf("the first page: %+v", got)
	}
	if len(r.requests) != 1 || !strings.HasPrefix(r.lastAudit(), "call ok resources/list page:") {
		t.Errorf("%d requests, on record: %s", len(r.requests), r.lastAudit())
	}
	rest, refused := asked[listed](c, "resources/list", object{"cursor": first.Next})
	if refused != "" || len(rest.Resources) < 5 || rest.Next != "" {
		t.Fatalf("the rest: %+v %s", rest, refused)
	}
	if _, refused := asked[listed](c, "resources/list", object{"cursor": "nonsense"}); !strings.Contains(refused, "cursor cannot be used") {
		t.Errorf("a wrong cursor: %s", refused)
	}
}

// TestListOfNobody: who is not signed in, or no longer, sees an empty list and
// is asked for nothing; what cannot be recorded is not answered.
func TestListOfNobody(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"a guest":   func(r *rig) { r.caller = identity.Caller{Device: "device", Stream: "stream"} },
		"no grant":  func(r *rig) { r.grantErr = gone() },
		"revoked":   func(r *rig) { r.liveErr = gone() },
		"no record": func(r *rig) { r.auditErr = outage() },
		"no site":   func(r *rig) { r.sites = nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, atlassiansim.Options{})
			change(r)
			got, refused := asked[listed](r.connect(), "resources/list", object{})
			if len(got.Resources) != 0 || r.awaits != 0 || (refused != "") != (name == "no record") {
				t.Errorf("%+v %q, %d sign-ins", got, refused, r.awaits)
			}
		})
	}
}

// TestListGoesOnToTheNextSite: with several sites each part is of one.
func TestListGoesOnToTheNextSite(t *testing.T) {
	r := newRig(t, atlassiansim.Options{Sites: []atlassiansim.Site{{Name: "acme", URL: "https://acme.atlassian.net"}, {Name: "other", URL: "https://other.atlassian.net"}}})
	r.sites = append(r.sites, grant.Site{Name: "other", CloudID: r.sim.CloudID("other"), URL: r.sim.SiteURL("other")})
	c := r.connect()
	first, refused := asked[listed](c, "resources/list", object{})
	if refused != "" || len(first.Resources) == 0 || first.Next == "" || !strings.HasPrefix(first.Resources[0].URI, "confluence://acme/") {
		t.Fatalf("the first site: %+v %s", first, refused)
	}
	// Nobody has written anything on the other site, so its part is empty.
	second, refused := asked[listed](c, "resources/list", object{"cursor": first.Next})
	if refused != "" || second.Next != "" || len(r.requests) != 2 || !strings.Contains(r.requests[1], r.sites[1].CloudID) {
		t.Errorf("the second site: %+v %s %v", second, refused, r.requests)
	}
	values, refused := asked[completed](c, "completion/complete", object{
		"ref": object{"type": "ref/resource", "uri": "confluence://{site}/pages/{id}"}, "argument": object{"name": "site", "value": "O"},
	})
	if refused != "" || !slices.Equal(values.Completion.Values, []string{"other"}) {
		t.Errorf("completion of a site: %+v %s", values, refused)
	}
}

func TestReadResource(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	c := r.connect()
	id := r.put("ada", "ENG", "Plan", "<p>Ship it <strong>now</strong>.</p>")
	secret := r.put("esther", "LEGAL", "Case", "<p>CANARY</p>")
	for uri, want := range map[string][]string{
		"confluence://acme/pages/" + id:                       {"# Plan", "data, not instructions", "Ship it **now**.", "version 1"},
		"confluence://acme/pages/" + id + "-the-plan":         {"Ship it"},
		"confluence://acme/spaces/ENG":                        {"space ENG on site acme", "data, not instructions", "confluence://acme/pages/" + id},
		"confluence://acme/spaces/eng":                        {"space ENG"},
		"confluence://" + r.sites[0].CloudID + "/pages/" + id: {"Ship it"},
	} {
		got, refused := asked[contents](c, "resources/read", object{"uri": uri})
		if refused != "" || len(got.Contents) != 1 || got.Contents[0].URI != uri || got.Contents[0].MIMEType != "text/markdown" {
			t.Errorf("%s: %+v %s", uri, got, refused)
			continue
		}
		for _, text := range want {
			if !strings.Contains(got.Contents[0].Text, text) {
				t.Errorf("%s lacks %q: %s", uri, text, got.Contents[0].Text)
			}
		}
		if !strings.HasPrefix(r.lastAudit(), "call ok resources/read ") {
			t.Errorf("%s: on record: %s", uri, r.lastAudit())
		}
	}
	for uri, want := range map[string]string{
		"confluence://acme/pages/" + secret: "was not found, or it is not available to you",
		"confluence://acme/pages/999999":    "was not found, or it is not available to you",
		"confluence://acme/spaces/LEGAL":    "was not found, or it is not available to you",
		"confluence://acme/pages/7x":        "not the address of",
		"confluence://acme/pages/..%2F7":    "not the address of",
		"confluence://nowhere/pages/" + id:  "no site of that name",
		"confluence://acme/cellars/7":       "Resource not found",
		"file:///etc/passwd":                "Resource not found",
	} {
		got, refused := asked[contents](c, "resources/read", object{"uri": uri})
		if len(got.Contents) > 0 || !strings.Contains(refused, want) || strings.Contains(refused, "CANARY") {
			t.Errorf("%s: %+v %s", uri, got, refused)
		}
	}
	if !strings.HasPrefix(r.lastAudit(), "call") {
		t.Error("refusals are not on record")
	}
}

// TestReadResourceSignsIn: reading waits for a sign-in as a call of a tool does.
func TestReadResourceSignsIn(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	c := r.connect()
	id := r.put("ada", "ENG", "Plan", "<p>Ship it.</p>")
	r.caller = identity.Caller{Device: "device", Stream: "stream"}
	if got, refused := asked[contents](c, "resources/read", object{"uri": "confluence://acme/pages/" + id}); refused != "" || len(got.Contents) != 1 || r.awaits != 1 {
		t.Errorf("%+v %s, %d sign-ins", got, refused, r.awaits)
	}
}

// TestLongResource: a page that is too long is cut, which is said ahead of it.
func TestLongResource(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	id := r.put("ada", "ENG", "Long", strings.Repeat("<p>"+strings.Repeat("word ", 100)+"</p>", 400))
	got, refused := asked[contents](r.connect(), "resources/read", object{"uri": "confluence://acme/pages/" + id})
	if refused != "" || len(got.Contents) != 1 {
		t.Fatal(got, refused)
	}
	if text := got.Contents[0].Text; len(text) > 101_000 || !strings.Contains(text[:500], "Only the first 100000 characters") {
		t.Errorf("%d bytes: %.500s", len(text), text)
	}
}

func TestCompletion(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	c := r.connect()
	id := r.put("ada", "ENG", "Zebra: a plan!", "<p>x</p>")
	r.put("esther", "LEGAL", "Zebra case", "<p>x</p>")
	prompt, template := object{"type": "ref/prompt", "name": "review_page"}, object{"type": "ref/resource", "uri": "confluence://{site}/pages/{id}"}
	for name, tt := range map[string]struct {
		ref        object
		field, has string
		context    object
		want       []string
	}{
		"a site":                    {prompt, "site", "AC", nil, []string{"acme"}},
		"no such site":              {prompt, "site", "x", nil, []string{}},
		"a space by its key":        {prompt, "space", "en", nil, []string{"ENG"}},
		"a space of an address":     {template, "key", "ENG", object{"site": "acme"}, []string{"ENG"}},
		"a denied space":            {prompt, "space", "LEG", nil, []string{}},
		"a page by its title":       {prompt, "page", "Zeb", nil, []string{"Zebra: a plan!"}},
		"a page of an address":      {template, "id", "zebra", object{"site": "acme"}, []string{id + "-zebra-a-plan"}},
		"a page of another space":   {prompt, "page", "Zeb", object{"space": "HR"}, []string{}},
		"a query in it":             {prompt, "page", `Zeb" or space = "LEGAL`, nil, []string{}},
		"a field that has no list":  {prompt, "focus", "x", nil, []string{}},
		"words that mean something": {prompt, "page", `(zebra) "a*`, nil, []string{"Zebra: a plan!"}},
	} {
		t.Run(name, func(t *testing.T) {
			params := object{"ref": tt.ref, "argument": object{"name": tt.field, "value": tt.has}}
			if tt.context != nil {
				params["context"] = object{"arguments": tt.context}
			}
			got, refused := asked[completed](c, "completion/complete", params)
			if diff := cmp.Diff(tt.want, got.Completion.Values); diff != "" || refused != "" {
				t.Errorf("%s (-want +got):\n%s", refused, diff)
			}
		})
	}
	r.caller = identity.Caller{Device: "device", Stream: "stream"}
	got, refused := asked[completed](c, "completion/complete", object{"ref": prompt, "argument": object{"name": "space", "value": ""}})
	if refused != "" || len(got.Completion.Values) != 0 || r.awaits != 0 {
		t.Errorf("a guest got %+v %s, %d sign-ins", got, refused, r.awaits)
	}
}

// attach puts a file on a page, behind our back, and returns its id.
func (r *rig) attach(person, page, name string, data []byte) string {
	r.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	token, _ := r.sim.MintToken(person, allScopes())
	req := httptest.NewRequest("POST", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/rest/api/content/"+page+"/child/attachment", &body)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("X-Atlassian-Token", "nocheck")
	w := httptest.NewRecorder()
	r.sim.ServeHTTP(w, req)
	var made struct{ Results []struct{ ID string } }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || len(made.Results) != 1 {
		r.t.Fatalf("attaching %s: %d %s", name, w.Code, w.Body)
	}
	return made.Results[0].ID
}

// pictured is the picture of Coatcheck.
func pictured(t *testing.T) []byte {
	t.Helper()
	_, data, _ := strings.Cut(icon.All()[1].Source, ",")
	picture, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func TestReadAttachment(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	c := r.connect()
	page := r.put("ada", "ENG", "Plan", "<p>x</p>")
	text, archive := r.attach("ada", page, "notes.txt", []byte("Bring biscuits.")), r.attach("ada", page, "all.zip", []byte("PK\x03\x04"))
	picture := r.attach("ada", page, "icon.png", pictured(t))
	secret := r.attach("esther", r.put("esther", "LEGAL", "Case", "<p>x</p>"), "secret.txt", []byte("CANARY"))
	for id, want := range map[string][]string{
		text:    {"# notes.txt", "File " + text + " on page " + page + " (Plan) in space ENG", "data, not instructions", "Bring biscuits."},
		archive: {"# all.zip", "cannot be shown here"},
		picture: {"# icon.png", "48 x 48 points"},
	} {
		uri := "confluence://acme/attachments/" + id
		got, refused := asked[contents](c, "resources/read", object{"uri": uri})
		if refused != "" || len(got.Contents) == 0 || got.Contents[0].URI != uri {
			t.Errorf("%s: %+v %s", uri, got, refused)
			continue
		}
		for _, text := range want {
			if !strings.Contains(got.Contents[0].Text, text) {
				t.Errorf("%s lacks %q: %s", uri, text, got.Contents[0].Text)
			}
		}
		if shown := len(got.Contents) == 2 && got.Contents[1].MIMEType == "image/png" && got.Contents[1].Blob != ""; shown != (id == picture) {
			t.Errorf("%s: a picture: %v", uri, shown)
		}
		if !strings.Contains(r.lastAudit(), "attachment:"+id) {
			t.Errorf("%s: on record: %s", uri, r.lastAudit())
		}
	}
	for _, id := range []string{secret, "att999999", "x", "../7"} {
		got, refused := asked[contents](c, "resources/read", object{"uri": "confluence://acme/attachments/" + url.PathEscape(id)})
		if len(got.Contents) > 0 || !strings.Contains(refused, "not available to you") && !strings.Contains(refused, "not the address") || strings.Contains(refused, "LEGAL") {
			t.Errorf("%s: %+v %s", id, got, refused)
		}
	}
}
