package address_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/address"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

func TestOf(t *testing.T) {
	names := func(account string) string {
		if account == "557058:ada" {
			return "Ada"
		}
		return ""
	}
	for source, want := range map[string][2]string{
		`<ri:page ri:space-key="OPS" ri:content-title="A/B #1"/>`:                                 {"confluence-page:OPS/A/B %231", "A/B #1"},
		`<ri:page ri:content-title="A/B"/>`:                                                       {"confluence-page:A%2FB", "A/B"},
		`<ri:blog-post ri:space-key="OPS" ri:content-title="GA" ri:posting-day="2026/05/01"/>`:    {"confluence-blog:OPS/2026/05/01/GA", "GA"},
		`<ri:blog-post ri:content-title="GA" ri:posting-day="soon"/>`:                             {"confluence-blog:GA", "GA"},
		`<ri:attachment ri:filename="a?.pdf"><ri:page ri:content-title="Files"/></ri:attachment>`: {"confluence-attachment:a%3F.pdf?page=Files", "a?.pdf"},
		`<ri:space ri:space-key="OPS"/>`:                                                          {"confluence-space:OPS", "OPS"},
		`<ri:content-entity ri:content-id="17"/>`:                                                 {"confluence-content:17", "17"},
		`<ri:url ri:value="https://example.org"/>`:                                                {"https://example.org", "https://example.org"},
		`<ri:user ri:account-id="557058:ada"/>`:                                                   {"confluence-user:557058:ada", "@Ada"},
		`<ri:user ri:userkey="8a8b"/>`:                                                            {"confluence-userkey:8a8b", "@user"},
		`<ri:user ri:username="bob"/>`:                                                            {"confluence-username:bob", "@user"},
		`<p/>`:                                                                                    {"", ""},
	} {
		doc, err := storage.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if to, text := address.Of(doc.Root.First, names); to != want[0] || text != want[1] {
			t.Errorf("%s: %q, %q, want %q", source, to, text, want)
		}
	}
}

func TestTarget(t *testing.T) {
	doc, err := storage.Parse(`<ac:link ac:anchor="a b"><ri:page ri:content-title="VPN"/></ac:link><ac:link/>`)
	if err != nil {
		t.Fatal(err)
	}
	if to, text := address.Target(doc.Root.First, "a b", nil); to != "confluence-page:VPN#a b" || text != "VPN" {
		t.Errorf("%q, %q", to, text)
	}
	if to, text := address.Target(doc.Root.Last, "top", nil); to != "#top" || text != "top" {
		t.Errorf("%q, %q", to, text)
	}
}
