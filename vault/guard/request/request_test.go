package request_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/openapi"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/request"
)

const (
	shown   = ""
	refused = "refused" // nothing of the answer may be shown, since something cannot be judged
	missing = "missing" // as if it were not there
)

// What Confluence answers is hostile here: it names what is denied in every
// way that objects can, and in ways that nobody has seen.
func TestAnswersAreJudged(t *testing.T) {
	const secret = `"title":"SECRET"`
	for name, c := range map[string]struct {
		path, answer string
		want         string // error
		kept         string // what of the answer is shown
	}{
		"a list with what is denied":          {"/api/v2/pages", `{"results":[{"id":"1","spaceId":"10"},{"id":"9","spaceId":"90",` + secret + `}]}`, shown, `[{"id":"1","spaceId":"10"}]`},
		"ids that are numbers":                {"/api/v2/pages", `{"results":[{"id":9,"spaceId":90,` + secret + `}]}`, shown, `[]`},
		"another spelling":                    {"/api/v2/pages", `{"results":[{"SpaceID":"90",` + secret + `},{"space-id":"90",` + secret + `},{"space_id":"90",` + secret + `}]}`, shown, `[]`},
		"another name":                        {"/api/v2/tasks", `{"results":[{"spaceId":"10","sourceSpaceId":"90",` + secret + `}]}`, shown, `[]`},
		"a list of spaces":                    {"/api/v2/tasks", `{"results":[{"spaceId":"10","relatedSpaceIds":["10","90"],` + secret + `}]}`, shown, `[]`},
		"a space in a list":                   {"/api/v2/pages", `{"results":[{"spaceId":"10","space":[{"key":"LEGAL",` + secret + `}]},{"spaceId":"10","spaces":[{"key":"LEGAL",` + secret + `}]}]}`, shown, `[]`},
		"other spaces in a list":              {"/api/v2/pages", `{"results":[{"spaceId":"10","relatedSpaces":[{"id":"90",` + secret + `}]},{"spaceId":"10","spaces":["LEGAL"],` + secret + `}]}`, shown, `[]`},
		"a page in a list":                    {"/api/v2/tasks", `{"results":[{"spaceId":"10","page":[{"id":"9",` + secret + `}]}]}`, shown, `[]`},
		"deep inside":                         {"/api/v2/pages", `{"results":[{"spaceId":"10","a":[{"b":{"c":[[{"spaceId":"90",` + secret + `}]]}}]}]}`, shown, `[]`},
		"the last of two members counts":      {"/api/v2/pages", `{"results":[{"spaceId":"10","spaceId":"90",` + secret + `}]}`, shown, `[]`},
		"by page":                             {"/api/v2/attachments", `{"results":[{"id":"att1","pageId":"1"},{"id":"att2","pageId":"9",` + secret + `}]}`, shown, `[{"id":"att1","pageId":"1"}]`},
		"by blog post":                        {"/api/v2/footer-comments", `{"results":[{"id":"5","blogPostId":"2"}]}`, shown, `[{"blogPostId":"2","id":"5"}]`},
		"by a page that nobody finds":         {"/api/v2/attachments", `{"results":[{"id":"att1","pageId":"1"},{"id":"att2","pageId":"77",` + secret + `}]}`, refused, ""},
		"by custom content only":              {"/api/v2/attachments", `{"results":[{"id":"att2","customContentId":"77",` + secret + `}]}`, refused, ""},
		"by nothing":                          {"/api/v2/pages", `{"results":[{"id":"9",` + secret + `}]}`, refused, ""},
		"by an empty id":                      {"/api/v2/pages", `{"results":[{"id":"9","spaceId":"",` + secret + `}]}`, refused, ""},
		"by null":                             {"/api/v2/pages", `{"results":[{"id":"9","spaceId":null,` + secret + `}]}`, refused, ""},
		"by what is no id":                    {"/api/v2/pages", `{"results":[{"id":"9","spaceId":"10/../90",` + secret + `}]}`, refused, ""},
		"by an object":                        {"/api/v2/pages", `{"results":[{"id":"9","spaceId":{"id":"90"},` + secret + `}]}`, refused, ""},
		"by a space that nobody finds":        {"/api/v2/pages", `{"results":[{"id":"9","spaceId":"55",` + secret + `}]}`, refused, ""},
		"not an object":                       {"/api/v2/pages", `{"results":["SECRET"]}`, refused, ""},
		"not a list":                          {"/api/v2/pages", `{"results":{"9":{` + secret + `}}}`, refused, ""},
		"a bare list":                         {"/api/v2/pages", `[{"spaceId":"90",` + secret + `}]`, shown, `[]`},
		"nested without end":                  {"/api/v2/pages", `{"results":[{"spaceId":"10","a":` + strings.Repeat(`[`, 60) + secret[8:] + strings.Repeat(`]`, 60) + `}]}`, refused, ""},
		"a search by the space of its result": {"/rest/api/search", `{"results":[{"content":{"id":"9","type":"page","space":{"id":90,"key":"LEGAL"}},` + secret + `}],"cqlQuery":"SECRET"}`, shown, `[]`},
		"a search by the result's address":    {"/rest/api/search", `{"results":[{"content":{"id":"1","type":"page","space":{"key":"ENG"}},"url":"/spaces/LEGAL/pages/9",` + secret + `}]}`, shown, `[]`},
		"a search by a container's address":   {"/rest/api/search", `{"results":[{"content":{"space":{"key":"ENG"}},"resultGlobalContainer":{"displayUrl":"/display/%4cEGAL/x"},` + secret + `}]}`, shown, `[]`},
		"an address alone proves nothing":     {"/rest/api/search", `{"results":[{"title":"x","url":"/spaces/ENG/pages/1"}]}`, refused, ""},
		"an expandable link proves nothing":   {"/rest/api/search", `{"results":[{"content":{"type":"attachment","_expandable":{"space":"/rest/api/space/ENG"}},` + secret + `}]}`, refused, ""},
		"a search that found a space":         {"/rest/api/search", `{"results":[{"space":{"key":"ENG"},"title":"x"},{"space":{"key":"legal"},` + secret + `}]}`, shown, `[{"space":{"key":"ENG"},"title":"x"}]`},
		"a search by the id of its result":    {"/rest/api/search", `{"results":[{"content":{"id":"9","type":"page"},` + secret + `}]}`, shown, `[]`},
		"a search that found a person":        {"/rest/api/search", `{"results":[{"user":{"accountId":"a"},"title":"x"}]}`, refused, ""},
		"spaces":                              {"/api/v2/spaces", `{"results":[{"id":"10","key":"ENG"},{"id":"90","key":"LEGAL","name":"SECRET"}]}`, shown, `[{"id":"10","key":"ENG"}]`},
		"spaces by id only":                   {"/api/v2/spaces", `{"results":[{"id":"90","name":"SECRET"}]}`, shown, `[]`},
		"a part of a page":                    {"/api/v2/pages/1/likes/users", `{"results":[{"accountId":"a"}]}`, shown, `[{"accountId":"a"}]`},
		"a part that is of another page":      {"/api/v2/pages/1/versions", `{"results":[{"number":1,"page":{"id":"9",` + secret + `}},{"number":2,"page":{"id":"1"}}]}`, shown, `[{"number":2,"page":{"id":"1"}}]`},
		"a child in another space":            {"/api/v2/pages/1/direct-children", `{"results":[{"id":"9","spaceId":"90",` + secret + `}]}`, shown, `[]`},
		"one object of another space":         {"/api/v2/pages/1/classification-level", `{"spaceId":"90","name":"SECRET"}`, missing, ""},
		"one object that names what it hides": {"/api/v2/pages/1/classification-level", `{"name":"x","contentId":"att5"}`, refused, ""},
		"a value that an app keeps":           {"/api/v2/pages/1/properties", `{"results":[{"key":"k","value":{"spaceId":"90"}}]}`, shown, `[{"key":"k","value":{"spaceId":"90"}}]`},
		"links, queries and names of stores":  {"/api/v2/pages/1/labels", `{"results":[{"name":"x","_links":{"webui":"/spaces/LEGAL"},"ari":"ari:SECRET"}]}`, shown, `[{"name":"x"}]`},
		"people with denied spaces of theirs": {"/rest/api/user/current", `{"accountId":"SECRET","personalSpace":{"id":90,"key":"LEGAL"}}`, missing, ""},
		"not JSON":                            {"/api/v2/pages", `<html>SECRET</html>`, "unavailable", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			was := r.answers[c.path]
			r.answers[c.path] = c.answer
			r.onlyFirst(c.path, was)
			var parameters map[string]any
			if strings.HasSuffix(c.path, "/search") {
				parameters = map[string]any{"cql": "type = page"}
			}
			got, err := r.ask(c.path, parameters)
			text := usererr.Text(err, "") + encode(t, got)
			if strings.Contains(text, "SECRET") || strings.Contains(encode(t, got.Items), "LEGAL") {
				t.Errorf("what is denied is shown: %s", text)
			}
			code := map[string]usererr.Code{refused: usererr.Denied, missing: usererr.NotFound, "unavailable": usererr.Unavailable}[c.want]
			if (err != nil) != (c.want != shown) || err != nil && usererr.CodeOf(err) != code {
				t.Fatalf("error %v, want %s", err, c.want)
			}
			if err == nil && encode(t, got.Items) != c.kept {
				t.Errorf("got  %s\nwant %s", encode(t, got.Items), c.kept)
			}
			if c.want == refused && r.entry.Outcome != "denied" {
				t.Errorf("the record says %q", r.entry.Outcome)
			}
		})
	}
}

// onlyFirst has a path answer what it did before when it is asked again, as
// the lookup of pages does.
func (r *rig) onlyFirst(path, then string) { r.then = map[string]string{path: then} }

func TestWhatThePathNamesIsCheckedFirst(t *testing.T) {
	for _, path := range []string{
		"/api/v2/pages/9", "/api/v2/pages/9/labels", "/api/v2/pages/9/properties/1", "/api/v2/spaces/90", "/api/v2/spaces/90/pages",
		"/rest/api/content/9/state", "/rest/api/analytics/content/9/views", "/rest/api/space/LEGAL/label", "/rest/api/user/watch/space/legal",
		"/api/v2/attachments/att9", "/api/v2/attachments/att9/versions", "/api/v2/footer-comments/9", "/api/v2/inline-comments/9/likes/users",
		"/api/v2/whiteboards/9", "/api/v2/databases/9/descendants", "/api/v2/folders/9/direct-children", "/api/v2/embeds/9", "/api/v2/tasks/9",
		"/api/v2/custom-content/9/labels", "/api/v2/blogposts/9", "/api/v2/attachments/att8",
	} {
		r := newRig(t)
		for _, kind := range []string{"footer-comments/9", "inline-comments/9", "attachments/att9"} {
			r.answers["/api/v2/"+kind] = `{"pageId":"9","title":"SECRET"}`
		}
		for _, kind := range []string{"whiteboards/9", "databases/9", "folders/9", "embeds/9", "tasks/9", "custom-content/9"} {
			r.answers["/api/v2/"+kind] = `{"spaceId":"90","title":"SECRET"}`
		}
		r.answers["/api/v2/attachments/att8"] = `{"customContentId":"8","title":"SECRET"}`
		r.answers[path] = strings.Replace(r.answers[path], "{}", `{"title":"SECRET"}`, 1)
		got, err := r.ask(path, nil)
		if code := usererr.CodeOf(err); err == nil || code != usererr.NotFound && code != usererr.Denied {
			t.Errorf("%s: %v", path, err)
		}
		if text := usererr.Text(err, "") + encode(t, got); strings.Contains(text, "SECRET") {
			t.Errorf("%s: %s", path, text)
		}
		if asked := strings.Join(r.asked, "\n"); strings.Count(path, "/") > 4 && strings.Contains(asked, path+"?") {
			t.Errorf("%s was asked although it is denied", path)
		}
	}
}

// What is denied reads like what is not there: neither its page nor its space is
// named.
func TestWhatIsDeniedReadsLikeWhatIsMissing(t *testing.T) {
	for path, answer := range map[string]string{
		"/api/v2/footer-comments/5": `{"pageId":"9"}`, "/api/v2/inline-comments/5/likes/count": `{"pageId":"9"}`, "/api/v2/attachments/att5": `{"pageId":"9"}`,
		"/api/v2/attachments/att5/labels": `{"blogPostId":"77"}`, "/api/v2/folders/5": `{"spaceId":"90"}`, "/api/v2/tasks/5": `{"spaceId":"90"}`, "/api/v2/whiteboards/5": `{"spaceId":"55"}`,
	} {
		r := newRig(t)
		_, missing := r.ask(path, nil)
		of := strings.Join(strings.Split(path, "/")[:5], "/")
		r.answers[of] = answer
		_, denied := r.ask(path, nil)
		if usererr.CodeOf(denied) != usererr.NotFound || usererr.Text(denied, "") != usererr.Text(missing, "") {
			t.Errorf("%s\ndenied:  %s\nmissing: %s", path, usererr.Text(denied, ""), usererr.Text(missing, ""))
		}
	}
}

func TestPathsThatCannotBeAsked(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{
		"", "/", "api/v2/pages", "/api/v2/pages/", "//api/v2/pages", "/api/v2//pages", "/api/v2/pages/1/../9", "/api/v2/./pages", "/api/v2/pages/%39",
		`/api/v2/pages\9`, "/api/v2/pages?id=9", "/api/v2/pages#x", "/api/v2/pages;a=b", "/api/v2/pages/1/labels\n", "/api/v2/pages/one", "/api/v2/pages/-1",
		"/api/v2/pages/99999999999999999999", "/API/V2/pages", "/api/v2/admin-key", "/api/v2/app/properties", "/api/v2/labels", "/api/v2/attachments/1/thumbnail/download",
		"/rest/api/audit", "/rest/api/settings/systemInfo", "/rest/api/content/1", "/rest/api/content/1/child/attachment/att1/download", "/rest/api/longtask/1",
		"/rest/api/user/email", "/rest/api/user/u/property", "/rest/api/content/1/history/1/macro/id/x/convert/view", "/rest/api/relation/favourite/from/user/a/to/content",
		"/rest/api/contentbody/convert/async/1", "/rest/api/space/~/label", "/rest/api/space/a%2fb/label", "/rest/api/space/.../label", "/wiki/../admin",
		"https://evil.example/api/v2/pages", "/api/v2/pages/1/" + strings.Repeat("a", 600), "/api/v2/pages/１",
	} {
		if _, err := r.ask(path, nil); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("%q: %v", path, err)
		}
	}
	if len(r.asked) > 0 {
		t.Errorf("Confluence was asked: %q", r.asked)
	}
}

func TestParameters(t *testing.T) {
	for name, c := range map[string]struct {
		path       string
		parameters map[string]any
		want       string // in the request; "" if it is refused
	}{
		"encoded":                      {"/api/v2/pages", map[string]any{"title": "a&id=9#?\"é"}, "title=a%26id%3D9%23%3F%22%C3%A9"},
		"lists and numbers":            {"/api/v2/pages", map[string]any{"id": []any{float64(1), "2"}, "limit": float64(7)}, "id=1&id=2&limit=7"},
		"a limit of our own":           {"/api/v2/pages", nil, "limit=25"},
		"too much":                     {"/api/v2/pages", map[string]any{"limit": float64(101)}, ""},
		"not published":                {"/api/v2/pages", map[string]any{"xsrf": "1"}, ""},
		"another case":                 {"/api/v2/pages", map[string]any{"Body-Format": "view"}, ""},
		"rendered text":                {"/api/v2/pages/1", map[string]any{"body-format": "export_view"}, ""},
		"rendered text in a list":      {"/api/v2/pages/1", map[string]any{"body-format": []any{"storage", "view"}}, ""},
		"rendered text, expanded":      {"/rest/api/content/search", map[string]any{"cql": "type = page", "expand": "version,body.view"}, ""},
		"children, expanded":           {"/rest/api/content/search", map[string]any{"cql": "type = page", "expand": "children.page.body.storage"}, ""},
		"a search says where it is":    {"/rest/api/content/search", map[string]any{"cql": "type = page", "expand": "version"}, "expand=version%2Cspace"},
		"a context":                    {"/rest/api/search", map[string]any{"cql": "type = page", "cqlcontext": "{}"}, ""},
		"a query is narrowed":          {"/rest/api/search", map[string]any{"cql": "space = LEGAL"}, "cql=%28space+%3D+LEGAL%29+AND+space+NOT+IN+%28%22LEGAL%22%29"},
		"two queries":                  {"/rest/api/search", map[string]any{"cql": []any{"type = page", "space = LEGAL"}}, ""},
		"no query":                     {"/rest/api/search", nil, ""},
		"a query that breaks out":      {"/rest/api/search", map[string]any{"cql": `type = page) OR (space = LEGAL`}, ""},
		"templates of a denied space":  {"/rest/api/template/page", map[string]any{"spaceKey": "LEGAL"}, ""},
		"templates of two spaces":      {"/rest/api/template/page", map[string]any{"spaceKey": []any{"ENG", "LEGAL"}}, ""},
		"templates of no space":        {"/rest/api/template/page", nil, ""},
		"an object":                    {"/api/v2/pages", map[string]any{"id": map[string]any{"a": 1}}, ""},
		"control characters":           {"/api/v2/pages", map[string]any{"title": "a\r\nHost: x"}, ""},
		"a position that is not given": {"/api/v2/pages", map[string]any{"cursor": "abc"}, ""},
	} {
		r := newRig(t)
		r.answers["/rest/api/search"], r.answers["/rest/api/content/search"], r.answers["/rest/api/template/page"] = `{"results":[]}`, `{"results":[]}`, `{"results":[]}`
		_, err := r.ask(c.path, c.parameters)
		sent := slices.ContainsFunc(r.asked, func(line string) bool { return strings.HasPrefix(line, "GET "+c.path+"?") })
		switch {
		case c.want == "" && (err == nil || sent):
			t.Errorf("%s: %v, sent %q", name, err, r.asked)
		case c.want != "" && (err != nil || !strings.Contains(strings.Join(r.asked, "\n"), c.want)):
			t.Errorf("%s: %v, sent %q", name, err, r.asked)
		}
	}
}

// All that can be asked is published as a GET with these parameters.
func TestOperationsArePublished(t *testing.T) {
	spec, err := openapi.Load(testenv.OpenAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	example := strings.NewReplacer("{key}", "ENG", "{word}", "read", "{attachment}", "1")
	paths, scopes, parameters := request.Operations()
	if len(paths) < 100 {
		t.Errorf("%d operations", len(paths))
	}
	for i, path := range paths {
		for _, part := range strings.Split(example.Replace(path), "/") {
			if strings.HasPrefix(part, "{") {
				path = strings.Replace(path, part, "1", 1)
			}
		}
		found, err := spec.Scopes("GET", "/wiki"+example.Replace(path))
		if err != nil {
			t.Errorf("%s is not published: %v", path, err)
			continue
		}
		for _, scope := range strings.Split(scopes[i], " and ") {
			if scope != "-" && !slices.Contains(found, scope) {
				t.Errorf("%s needs %q, not %q", path, found, scope)
			}
		}
		for _, name := range parameters[i] {
			if strings.ContainsAny(name, "{}[]") {
				t.Errorf("%s has a parameter %q", path, name)
			}
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add("/api/v2/pages/1")
	f.Add("/rest/api/space/~a/label")
	f.Fuzz(func(t *testing.T, path string) {
		if request.Check(request.Question{Path: path}) != nil {
			return
		}
		if strings.ContainsAny(path, "%?#\\; \n") || strings.Contains(path, "//") || strings.Contains(path, "/.") || !strings.HasPrefix(path, "/api/v2/") && !strings.HasPrefix(path, "/rest/api/") {
			t.Errorf("%q can be asked", path)
		}
	})
}
