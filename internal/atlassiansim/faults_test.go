package atlassiansim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

func TestFaultsHitWhatTheyAreFor(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	r.FailNext(2, 500, "<html>no</html>")
	for range 2 {
		if got := r.api(token, "GET", "/api/v2/spaces", nil); got.Status != 500 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || got.Text != "<html>no</html>" {
			t.Errorf("%+v", got)
		}
	}
	r.Fail(1, atlassiansim.Fault{Method: "GET", Path: "/search", Status: 503, Body: `{"message":"x"}`, Header: http.Header{"retry-after": {"2"}}})
	if got := r.api(token, "GET", "/api/v2/spaces", nil); got.Status != 200 {
		t.Errorf("another path: %+v", got)
	}
	if got := r.api(token, "GET", "/rest/api/search?cql=type%3Dpage", nil); got.Status != 503 || got.Header.Get("Retry-After") != "2" {
		t.Errorf("%+v", got)
	}
	r.FailNext(9, 500, "")
	r.Heal()
	if got := r.api(token, "GET", "/api/v2/spaces", nil); got.Status != 200 {
		t.Errorf("after Heal: %+v", got)
	}
	r.Fail(1, atlassiansim.Fault{Delay: 50 * time.Millisecond, Header: http.Header{"X-Slow": {"1"}}})
	began := time.Now()
	if got := r.api(token, "GET", "/api/v2/spaces", nil); got.Status != 200 || got.Header.Get("X-Slow") != "1" || time.Since(began) < 50*time.Millisecond {
		t.Errorf("%v for %+v", time.Since(began), got)
	}
}

// The hardest fault for a client: the write has happened, the answer is lost.
func TestLostAnswers(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	page := r.AnyPage("ENG")
	body := map[string]any{"id": page.ID, "status": "current", "title": page.Title, "body": storage("<p>x</p>"), "version": map[string]int{"number": page.Version + 1}}
	r.Fail(1, atlassiansim.Fault{Method: "PUT", Drop: true})
	if got := r.api(token, "PUT", "/api/v2/pages/"+page.ID, body); got.Status != 0 {
		t.Errorf("%+v", got)
	}
	if now, _ := r.PageByID(page.ID); now.Version != page.Version {
		t.Error("the request was carried out all the same")
	}
	r.Fail(1, atlassiansim.Fault{Method: "PUT", Drop: true, After: true})
	if got := r.api(token, "PUT", "/api/v2/pages/"+page.ID, body); got.Status != 0 {
		t.Errorf("%+v", got)
	}
	if now, _ := r.PageByID(page.ID); now.Version != page.Version+1 {
		t.Error("the request was not carried out")
	}
	if writes := r.Writes(); len(writes) != 2 || writes[0].Status != 0 || writes[1].Status != 0 {
		t.Errorf("%+v", writes)
	}
}

// A dropped answer to a refresh is a rotation that happened.
func TestLostRotation(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	_, refresh := r.MintToken("ada", scopes())
	r.FailToken(1, atlassiansim.TokenFault{Kind: atlassiansim.TokenDrop})
	form := url.Values{"client_id": {clientID}, "client_secret": {secret}, "grant_type": {"refresh_token"}, "refresh_token": {refresh}}
	if resp, err := http.PostForm(r.url+"/oauth/token", form); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %d", resp.StatusCode)
	}
	if got := r.refresh(refresh); got.Status != 200 {
		t.Errorf("inside the leeway: %+v", got)
	}
	r.SetLeeway(-time.Second)
	if got := r.refresh(refresh); got.Status != 403 || r.Grants() != 0 {
		t.Errorf("after it: %+v, %d grants", got, r.Grants())
	}
	if asked := r.TokenRequests(); len(asked) != 3 || asked[0].Status != 0 {
		t.Errorf("%+v", asked)
	}
}

func TestKnobs(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	token := r.as("ada")
	status := func() int { return r.api(token, "GET", "/api/v2/spaces", nil).Status }
	r.RemoveSite("ada", "acme")
	if got := status(); got != 403 {
		t.Errorf("without the site: %d", got)
	}
	token = r.as("ada")
	r.ExpireTokens()
	if got := status(); got != 401 {
		t.Errorf("expired: %d", got)
	}
	token = r.as("ada")
	if n := r.RemoveApp("ada"); n == 0 || status() != 401 {
		t.Errorf("%d grants ended, then %d", n, status())
	}
	r.AddPerson(atlassiansim.Person{Name: "zoe"})
	token = r.as("zoe")
	if got := status(); got != 200 {
		t.Errorf("a new person: %d", got)
	}
}

func TestControl(t *testing.T) {
	post := func(r *rig, path, origin string) int {
		req := httptest.NewRequest(http.MethodPost, path, nil)
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Code
	}
	r := newRig(t, atlassiansim.Options{Control: true})
	token := r.as("ada")
	for path, want := range map[string]int{
		"/_sim/nonsense": 400, "/_sim/fail?n=0&status=500": 400, "/_sim/latency?d=soon": 400, "/_sim/remove-app?person=nobody": 400,
		"/_sim/deny?on=true": 204, "/_sim/index-lag?d=20s": 204, "/_sim/token-life?d=1m": 204, "/_sim/fail?n=1&status=503": 204, "/_sim/latency?d=0s": 204,
	} {
		if got := post(r, path, ""); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := r.api(token, "GET", "/api/v2/spaces", nil); got.Status != 503 {
		t.Errorf("the fault did not come: %d", got.Status)
	}
	if post(r, "/_sim/expire", "https://evil.example") != 404 || r.api(token, "GET", "/api/v2/spaces", nil).Status != 200 {
		t.Error("a web page turned a knob")
	}
	if post(r, "/_sim/expire", "") != 204 || r.api(token, "GET", "/api/v2/spaces", nil).Status != 401 {
		t.Error("the tokens live on")
	}
	if got := post(newRig(t, atlassiansim.Options{}), "/_sim/expire", ""); got != 404 {
		t.Errorf("without Control: %d", got)
	}
}

func TestLatencyEndsWithTheCaller(t *testing.T) {
	r := newRig(t, atlassiansim.Options{Latency: time.Hour})
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/ex/confluence/"+r.CloudID("acme")+"/wiki/api/v2/spaces", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 50 * time.Millisecond}
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Errorf("answered %d", resp.StatusCode)
	}
}

// People read, write, search, refresh and are cut off at once.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	var space struct{ Results []struct{ ID string } }
	r.api(r.as("ada"), "GET", "/api/v2/spaces?keys=ENG", nil).into(t, &space)
	page := r.AnyPage("ENG")
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			token, refresh := r.MintToken("ada", scopes())
			for i := range 10 {
				r.api(token, "GET", "/api/v2/pages/"+page.ID, nil)
				r.api(token, "GET", "/rest/api/search?cql="+url.QueryEscape("text ~ deployment"), nil)
				r.api(token, "POST", "/api/v2/pages", map[string]any{"spaceId": space.Results[0].ID, "title": fmt.Sprintf("Page %d", i), "body": storage("<p>x</p>")})
				refresh = r.refresh(refresh).Refresh
				if n == 0 {
					r.SetLatency(time.Duration(i))
					r.Requests()
					r.Secrets()
				}
			}
		})
	}
	group.Wait()
	for i := range 10 {
		if n := r.CountPages("ENG", fmt.Sprintf("page %d", i)); n != 1 {
			t.Errorf("%d pages are called Page %d", n, i)
		}
	}
	if n := len(r.TokenRequests()); n != 80 {
		t.Errorf("%d token requests", n)
	}
}

func TestNoJournal(t *testing.T) {
	r := newRig(t, atlassiansim.Options{NoJournal: true})
	if got := r.api(r.as("ada"), "GET", "/api/v2/spaces", nil); got.Status != 200 || len(r.Requests()) != 0 {
		t.Errorf("%d, %d entries", got.Status, len(r.Requests()))
	}
}

func TestEmptyAndLoad(t *testing.T) {
	r := newRig(t, atlassiansim.Options{Empty: true})
	if r.AnyPage("ENG").ID != "" || r.CreatePages("ENG", 3) != nil {
		t.Error("an empty wiki has pages")
	}
	r = newRig(t, atlassiansim.Options{})
	made := append(r.CreatePages("ENG", 300), r.CreatePages("OPS", 2)...)
	if len(made) != 302 || made[0].ID == "" || r.CountPages("ENG", made[299].Title) != 1 {
		t.Errorf("%d pages", len(made))
	}
	if first := r.AnyPage("ENG"); first != r.AnyPage("ENG") || first.Title != "Deployment guide" {
		t.Errorf("any page is %q", r.AnyPage("ENG").Title)
	}
	var got struct{ Title string }
	a := r.api(r.as("ada"), "GET", "/api/v2/pages/"+made[301].ID, nil)
	if err := json.Unmarshal([]byte(a.Text), &got); err != nil || got.Title != made[301].Title {
		t.Errorf("%+v", a)
	}
}

func BenchmarkPage(b *testing.B) {
	sim := atlassiansim.New(atlassiansim.Options{NoJournal: true, Apps: []atlassiansim.App{{ClientID: "a", Secret: "s"}}})
	token, _ := sim.MintToken("ada", []string{"read:page:confluence", "search:confluence"})
	for name, path := range map[string]string{
		"page":   "/api/v2/pages/" + sim.AnyPage("ENG").ID + "?body-format=storage",
		"search": "/rest/api/search?limit=10&cql=" + url.QueryEscape(`text ~ "deployment"`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequest("GET", "/ex/confluence/"+sim.CloudID("acme")+"/wiki"+path, nil)
				req.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				if sim.ServeHTTP(w, req); w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
