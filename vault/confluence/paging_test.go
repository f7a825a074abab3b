package confluence_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Trap 10: whatever form the link to the next page has, only its query is
// used, at the same endpoint of the gateway.
func TestNextPageStaysOnTheGateway(t *testing.T) {
	for name, link := range map[string]string{
		"v2, with /wiki":        "/wiki/api/v2/spaces?limit=2&cursor=abc%3D",
		"without /wiki":         "/api/v2/spaces?cursor=abc%3D",
		"absolute, site host":   "https://acme.example/wiki/api/v2/spaces?cursor=abc%3D",
		"absolute, other host":  "https://evil.example/wiki/api/v2/spaces?cursor=abc%3D",
		"with gateway's prefix": "/ex/confluence/cloud-1/wiki/api/v2/spaces?cursor=abc%3D",
		"no scheme":             "//evil.example/wiki/api/v2/spaces?cursor=abc%3D",
	} {
		t.Run(name, func(t *testing.T) {
			c, s, _ := client(t, say(200, fmt.Sprintf(`{"results":[{"id":"7","key":"OPS","name":"Ops"}],"_links":{"next":%q,"base":"https://acme.example/wiki"}}`, link)))
			_, cursor, err := c.Spaces(t.Context(), 2, "")
			if err != nil || cursor != "abc=" {
				t.Fatalf("cursor %q, %v", cursor, err)
			}
			if _, _, err := c.Spaces(t.Context(), 2, cursor); err != nil {
				t.Fatal(err)
			}
			if got, want := s.seen[1].URL.String(), base+"/api/v2/spaces?cursor=abc%3D&limit=2&status=current"; got != want {
				t.Errorf("asked %s, want %s", got, want)
			}
		})
	}
	for _, link := range []string{"/wiki/api/v2/pages?cursor=a", "/elsewhere/api/v2/spaces?cursor=a", "/wiki/api/v2/spaces", "::", "/ex/confluence/../x/wiki/api/v2/spaces?cursor=a"} {
		c, _, _ := client(t, say(200, fmt.Sprintf(`{"results":[],"_links":{"next":%q}}`, link)))
		if _, cursor, err := c.Spaces(t.Context(), 2, ""); !confluence.Is(err, confluence.KindProtocol) || cursor != "" {
			t.Errorf("%s: %q, %v", link, cursor, err)
		}
	}
}

func TestNextPageFromHeader(t *testing.T) {
	c, _, _ := client(t, say(200, `{"results":[]}`, "Link", `</wiki/api/v2/spaces?limit=2&cursor=xyz>; rel="next", <https://acme.example/wiki>; rel="base"`))
	if _, cursor, err := c.Spaces(t.Context(), 2, ""); err != nil || cursor != "xyz" {
		t.Errorf("%q, %v", cursor, err)
	}
}

func TestSpaces(t *testing.T) {
	c, s, _ := client(t, say(200, `{"results":[{"id":7,"key":"OPS","name":"Ops","type":"global","status":"current","_links":{"webui":"/spaces/OPS"}}]}`))
	got, err := c.SpaceByKey(t.Context(), "OPS")
	if diff := cmp.Diff(confluence.Space{ID: "7", Key: "OPS", Name: "Ops", Type: "global", Status: "current", Path: "/spaces/OPS"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if q := s.seen[0].URL.Query().Get("keys"); q != "OPS" {
		t.Errorf("keys %q", q)
	}
	s.answer = say(200, `{"results":[]}`)
	if _, err := c.SpaceByKey(t.Context(), "NONE"); !confluence.Is(err, confluence.KindNotFound) {
		t.Errorf("%v", err)
	}
	s.answer = say(200, `{"id":"8","key":"HR"}`)
	if _, err := c.SpaceByID(t.Context(), "7"); !confluence.Is(err, confluence.KindProtocol) {
		t.Errorf("a space with another id than asked for: %v", err)
	}
}

func TestParseAddress(t *testing.T) {
	sites := []string{"https://acme.atlassian.net", "https://Beta.atlassian.net/"}
	for text, want := range map[string]confluence.Address{
		"123": {Site: -1, ID: "123"},
		" https://acme.atlassian.net/wiki/spaces/OPS/pages/123/My+Title ":     {Site: 0, ID: "123"},
		"https://acme.atlassian.net/wiki/spaces/OPS/pages/123":                {Site: 0, ID: "123"},
		"https://beta.atlassian.net/wiki/spaces/~u1/pages/edit-v2/9?x=1#frag": {Site: 1, ID: "9"},
		"https://acme.atlassian.net/wiki/spaces/OPS/blog/2026/05/01/77/GA":    {Site: 0, ID: "77"},
		"https://acme.atlassian.net/wiki/pages/viewpage.action?pageId=55":     {Site: 0, ID: "55"},
		"https://acme.atlassian.net/wiki/x/D4AB":                              {Site: 0, ID: "98319"},
		"https://acme.atlassian.net/wiki/display/OPS/On+call":                 {Site: 0, Space: "OPS", Title: "On call"},
		"/wiki/x/D4AB":                        {Site: -1, ID: "98319"},
		"/wiki/spaces/OPS/pages/123/My+Title": {Site: -1, ID: "123"},
	} {
		got, err := confluence.ParseAddress(text, sites)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]error{
		"https://evil.example/wiki/spaces/OPS/pages/123":                        confluence.ErrForeign,
		"http://acme.atlassian.net/wiki/spaces/OPS/pages/123":                   confluence.ErrForeign,
		"https://acme.atlassian.net.evil.example/wiki/x/D4AB":                   confluence.ErrForeign,
		"https://acme.atlassian.net:8443/wiki/x/D4AB":                           confluence.ErrForeign,
		"https://acme.atlassian.net@evil.example/wiki/x/D4AB":                   confluence.ErrAddress,
		"https://acme.atlassian.net/wiki/spaces/OPS/overview":                   confluence.ErrAddress,
		"https://acme.atlassian.net/wiki/pages/viewpage.action?pageId=1%2F..":   confluence.ErrAddress,
		"https://acme.atlassian.net/wiki/spaces/OPS/pages/12345678901234567890": confluence.ErrAddress,
		"//evil.example/wiki/x/D4AB":                                            confluence.ErrForeign,
		"/wiki/../wiki/x/D4AB":                                                  confluence.ErrAddress,
		"acme.atlassian.net/wiki/x/D4AB":                                        confluence.ErrAddress,
		"https:///wiki/spaces/OPS/pages/1":                                      confluence.ErrAddress,
		"Team plan":                                                             confluence.ErrAddress, "": confluence.ErrAddress, "-5": confluence.ErrAddress,
	} {
		if got, err := confluence.ParseAddress(text, sites); err != want {
			t.Errorf("%s: %+v, %v, want %v", text, got, err, want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"123", "https://acme.atlassian.net/wiki/x/D4AB", "https://acme.atlassian.net/wiki/spaces/A/pages/1/b", "://", "https://acme.atlassian.net/wiki/display/%zz/a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := confluence.ParseAddress(text, []string{"https://acme.atlassian.net"})
		if err == nil && !confluence.ValidPageID(got.ID) && (got.ID != "" || got.Title == "" || got.Space == "") {
			t.Errorf("%q gives %+v", text, got)
		}
	})
}

func FuzzTinyID(f *testing.F) {
	f.Add(uint64(98319))
	f.Add(uint64(1))
	f.Add(uint64(1<<63 - 1))
	f.Fuzz(func(t *testing.T, id uint64) {
		if id == 0 || id > 1<<63-1 {
			return
		}
		if got := confluence.TinyID(confluence.TinyCode(id)); got != fmt.Sprint(id) {
			t.Errorf("%d became %s", id, got)
		}
	})
}

// Answers come from strangers: any bytes give a value or an error.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{pageBody, `{"errors":[{"status":"409","title":"Current Version: [3]"}]}`, "<status><message>x</message></status>", "<html>", "", "null", "[]"} {
		for _, status := range []int{200, 400, 409} {
			f.Add(status, seed)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 499 || status == 429 {
			return
		}
		c, _, _ := client(t, say(status, body))
		if page, err := c.UpdatePage(t.Context(), confluence.Edit{ID: "1", Number: 2}); err == nil && (!confluence.ValidPageID(page.ID) || page.Version.Number < 1) {
			t.Errorf("%+v", page)
		}
		_, _, _ = c.Spaces(t.Context(), 1, "")
	})
}
