package atlassiansim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
)

// The links that the API names lead to pages, for those who may see them.
func TestPeopleSeeTheWiki(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	guide, _ := r.PageByTitle("ENG", "Deployment guide")
	forecast, _ := r.PageByTitle("FIN", "Forecast for the fourth quarter")
	var page struct {
		Links struct{ WebUI, TinyUI string } `json:"_links"`
	}
	r.api(r.as("ada"), "GET", "/api/v2/pages/"+guide.ID, nil).into(t, &page)
	b := browser.New()
	for path, want := range map[string]string{
		page.Links.WebUI: "Roll back first, ask later", page.Links.TinyUI: "Roll back first, ask later", "/display/ENG/Deployment+guide": "Roll back first",
		"/spaces/ENG": "Start here", "/": "Operations", "/spaces/FIN/pages/" + forecast.ID: "may not see", "/spaces/FIN": "may not see", "/x/!!": "may not see", "/nonsense": "may not see",
	} {
		got, _ := b.Consent(t.Context(), r.url+"/wiki"+path, browser.Choose{Person: "ada"})
		if !strings.Contains(got, want) || !strings.Contains(got, "Simulated Confluence") || !strings.Contains(got, "Ada Berger") {
			t.Errorf("%s shows %.400s", path, got)
		}
	}
	// The links within pages lead somewhere too.
	first, err := b.Open(t.Context(), r.url+"/wiki/spaces/ENG")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(first.Body, `href="`)[1:] {
		address, _, _ := strings.Cut(part, `"`)
		if p, err := b.Open(t.Context(), r.url+address); err != nil || p.Status != 200 {
			t.Errorf("%s: %d, %v", address, p.Status, err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/wiki/spaces/ENG", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 401 || strings.Contains(string(text), "Start here") {
		t.Errorf("a program sees %d %s", resp.StatusCode, text)
	}
}
