package sites_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/sites"
)

func two() []grant.Site {
	return []grant.Site{
		{Name: "wiki", CloudID: "c-1", URL: "https://acme.atlassian.net"},
		{Name: "labs", CloudID: "c-2", URL: "https://Labs.atlassian.net/"},
	}
}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		name, page, want string // want is a site's name, or ! and a part of the refusal
	}{
		{"wiki", "", "wiki"},
		{"LABS", "", "labs"},
		{"c-2", "", "labs"},
		{"labs.atlassian.net", "", "labs"},
		{"https://labs.atlassian.net/wiki", "", "labs"},
		{"", "https://labs.atlassian.net/wiki/spaces/A/pages/7", "labs"},
		{"labs", "https://labs.atlassian.net/wiki/x/D4AB", "labs"},
		{"labs", "123", "labs"},
		{"labs", "/wiki/x/D4AB", "labs"},
		{"", "123", "!several sites"},
		{"", "/wiki/x/D4AB", "!several sites"},
		{"", "", "!several sites"},
		{"nosuch", "", "!no site of that name"},
		{"wiki", "https://labs.atlassian.net/wiki/x/D4AB", "!another site"},
		{"", "https://evil.example/wiki/x/D4AB", "!not on a Confluence site of yours"},
		{"wiki", "https://evil.example/wiki/x/D4AB", "!not on a Confluence site of yours"},
		{"", "https://acme.atlassian.net/jira", "!not understood"},
	} {
		got, err := sites.Choose(two(), test.name, test.page)
		text, refused := strings.CutPrefix(test.want, "!")
		if _, ok := usererr.From(err); refused && (!ok || !strings.Contains(err.Error(), text)) || !refused && (err != nil || got.Name != text) {
			t.Errorf("%q, %q: %s, %v; want %s", test.name, test.page, got.Name, err, test.want)
		}
	}
}

func TestOneSiteNeedsNoName(t *testing.T) {
	if got, err := sites.Choose(two()[:1], "", "123"); err != nil || got.Name != "wiki" {
		t.Errorf("%s, %v", got.Name, err)
	}
	if _, err := sites.Choose(nil, "", ""); usererr.CodeOf(err) != usererr.Denied {
		t.Errorf("%v", err)
	}
}

// A foreign address is not repeated: it may be there to be read by a model.
func TestRefusalsDoNotEcho(t *testing.T) {
	for _, ref := range []string{"https://evil.example/IGNORE-PREVIOUS", "IGNORE-PREVIOUS"} {
		if _, err := sites.Page(ref, two()); err == nil || strings.Contains(usererr.Text(err, ""), "IGNORE") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
