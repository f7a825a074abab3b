package confluence_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

const (
	base   = "https://api.example/ex/confluence/cloud-1/wiki"
	canary = "CANARY-token"
)

// site answers requests in memory, one handler call each, and remembers them.
type site struct {
	answer func(w http.ResponseWriter, r *http.Request)
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.seen, s.bodies = append(s.seen, r), append(s.bodies, string(body))
	s.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.answer(w, r)
	return w.Result(), nil
}

func client(t *testing.T, answer func(http.ResponseWriter, *http.Request)) (*confluence.Client, *site, *bytes.Buffer) {
	t.Helper()
	s := &site{answer: answer}
	var log bytes.Buffer
	c := confluence.New(confluence.Config{
		HTTP: &http.Client{Transport: s}, Base: base, Token: secret.New(canary), Quota: &confluence.Quota{},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	return c, s, &log
}

func say(status int, body string, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const pageBody = `{"id":"101","status":"current","title":"Plan","spaceId":7,"parentId":null,"authorId":"a","createdAt":"2026-05-01T10:00:00.000Z",
 "ari":"extra","version":{"number":3,"message":"m","authorId":"acc-1","createdAt":"2026-05-02T10:00:00.000Z","x":1},
 "body":{"storage":{"representation":"storage","value":"<p>hi</p>"}},"_links":{"webui":"/spaces/OPS/pages/101/Plan","base":"https://acme.example/wiki","extra":null}}`

// Trap 1: everything goes to the gateway, with the token, asking for JSON.
// Trap 14: ids are strings, numbers are read as well. §2.1: unknown keys are
// no error.
func TestPageGoesToTheGateway(t *testing.T) {
	c, s, _ := client(t, say(200, pageBody))
	got, err := c.Page(t.Context(), "101", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := confluence.Page{
		ID: "101", Type: "page", Status: "current", Title: "Plan", SpaceID: "7", Created: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		Version: confluence.Version{Number: 3, Message: "m", AuthorID: "acc-1", Created: time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC)},
		Path:    "/spaces/OPS/pages/101/Plan", Body: "<p>hi</p>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	r := s.seen[0]
	if got, want := r.URL.String(), base+"/api/v2/pages/101?body-format=storage"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if r.Header.Get("Authorization") != "Bearer "+canary || r.Header.Get("Accept") != "application/json" {
		t.Errorf("headers %v", r.Header)
	}
}

// Traps 4, 6, 12, 16, 18, 19 and §2.3: what each answer means.
func TestErrorsAreClassified(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		header []string
		want   confluence.Kind
		then   func(*confluence.Error) bool
	}{
		{name: "expired", status: 401, body: `{"code":401,"message":"Unauthorized"}`, want: confluence.KindToken},
		{name: "scope by header", status: 401, body: `{}`, header: []string{"X-Failure-Category", "FAILURE_CLIENT_SCOPE_CHECK"}, want: confluence.KindScope},
		{name: "scope by text", status: 401, body: `{"code":401,"message":"Unauthorized; scope does not match"}`, want: confluence.KindScope},
		{name: "other failure category", status: 401, body: `{}`, header: []string{"X-Failure-Category", "FAILURE_CLIENT_AUTH_MISMATCH"}, want: confluence.KindToken},
		{name: "tomcat page", status: 401, body: `<html><h1>401</h1></html>`, want: confluence.KindToken},
		{name: "no licence", status: 403, body: `{"message":"Current user not permitted to use Confluence","statusCode":403}`, want: confluence.KindForbidden},
		{name: "v2 404", status: 404, body: `{"errors":[{"status":404,"code":"NOT_FOUND","title":"Not Found"}]}`, want: confluence.KindNotFound,
			then: func(e *confluence.Error) bool { return e.Code == "NOT_FOUND" }},
		{name: "XML 404", status: 404, body: `<?xml version="1.0"?><status><status-code>404</status-code><message>null for uri: x</message></status>`, want: confluence.KindNotFound},
		{name: "HTML 404", status: 404, body: `<!doctype html><p>nothing`, want: confluence.KindNotFound},
		{name: "conflict, status a string", status: 409, want: confluence.KindConflict,
			body: `{"errors":[{"status":"409","code":"CONFLICT","title":"Version must be incremented when updating a page. Current Version: [7]. Provided version: [3]","detail":null}]}`,
			then: func(e *confluence.Error) bool { return e.CurrentVersion == 7 && e.Code == "CONFLICT" }},
		{name: "conflict without version", status: 409, body: `{"message":"ConflictException: content was being concurrently updated"}`, want: confluence.KindConflict},
		{name: "gone", status: 410, body: `{"statusCode":410,"data":{},"message":"…GoneException: This deprecated endpoint has been removed."}`, want: confluence.KindGone},
		{name: "duplicate title", status: 400, want: confluence.KindDuplicateTitle,
			body: `{"errors":[{"status":400,"code":"BAD_REQUEST","title":"A page with this title already exists: A page already exists with the same TITLE in this space"}]}`},
		{name: "cql", status: 400, body: `{"statusCode":400,"message":"com.x.BadRequestException: Could not parse cql : type = "}`, want: confluence.KindQuery},
		{name: "bad request", status: 400, body: `{"errors":[]}`, want: confluence.KindBadRequest},
		{name: "405 as HTML", status: 405, body: `<html>`, want: confluence.KindBadRequest},
		{name: "too large", status: 413, body: `request is too large in size (over 5 MB)`, want: confluence.KindTooLarge},
		{name: "HTML with status 200", status: 200, body: `<html>sign in</html>`, want: confluence.KindProtocol},
		{name: "a redirect", status: 302, header: []string{"Location", "https://evil.example/"}, want: confluence.KindProtocol},
		{name: "an empty page", status: 200, body: `{}`, want: confluence.KindProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s, log := client(t, say(test.status, test.body, append(test.header, "atl-traceid", "trace-1")...))
			_, err := c.UpdatePage(t.Context(), confluence.Edit{ID: "101", Title: "SECRETTITLE", Number: 4})
			var e *confluence.Error
			if !errors.As(err, &e) || e.Kind != test.want || test.then != nil && !test.then(e) {
				t.Fatalf("error %#v, want kind %v", err, test.want)
			}
			if len(s.seen) != 1 {
				t.Errorf("%d requests, want 1", len(s.seen))
			}
			if test.status != 200 && !strings.Contains(log.String(), "trace-1") {
				t.Errorf("the trace id is not in the log: %s", log)
			}
			for _, text := range []string{err.Error(), log.String()} {
				if strings.Contains(text, "SECRETTITLE") || strings.Contains(text, canary) || strings.Contains(text, "Exception") || strings.Contains(text, "evil") {
					t.Errorf("content or secrets in %q", text)
				}
			}
		})
	}
}

// Trap 12: the number goes up by one, the whole body is sent, and never with
// PATCH. Trap 7 of writes: a 5xx leaves the outcome open and is not repeated.
func TestUpdate(t *testing.T) {
	c, s, _ := client(t, say(200, pageBody))
	if _, err := c.UpdatePage(t.Context(), confluence.Edit{ID: "101", Title: "Plan", Body: "<p>hi</p>", Message: "m", Number: 3}); err != nil {
		t.Fatal(err)
	}
	want := `{"body":{"representation":"storage","value":"\u003cp\u003ehi\u003c/p\u003e"},"id":"101","status":"current","title":"Plan","version":{"message":"m","number":3}}`
	if got := s.bodies[0]; s.seen[0].Method != http.MethodPut || got != want {
		t.Errorf("%s %s", s.seen[0].Method, got)
	}
	for _, status := range []int{500, 502, 503, 504} {
		c, s, _ := client(t, say(status, "oops", "Retry-After", "1"))
		_, err := c.CreatePage(t.Context(), confluence.Draft{SpaceID: "7", Title: "x"})
		if !confluence.Unsure(err) || len(s.seen) != 1 {
			t.Errorf("status %d: %v after %d requests", status, err, len(s.seen))
		}
	}
}

// Trap 18: waits as long as asked, or backs off without being asked, at most
// four times and never past the deadline.
func TestRateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c, _, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries < 3 {
				say(429, "", "Retry-After", "4")(w, r)
				return
			}
			say(200, pageBody)(w, r)
		})
		begun := time.Now()
		if _, err := c.UpdatePage(t.Context(), confluence.Edit{ID: "101", Number: 2}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); tries != 3 || took < 8*time.Second || took > 12*time.Second {
			t.Errorf("%d tries in %v", tries, took)
		}
	})
	synctest.Test(t, func(t *testing.T) { // no Retry-After, no reason, for ever
		c, s, _ := client(t, say(429, "<html>slow down"))
		begun := time.Now()
		_, err := c.Page(t.Context(), "101", 0)
		if !confluence.Is(err, confluence.KindRateLimited) || len(s.seen) != 5 || time.Since(begun) > confluence.RetryBudget {
			t.Errorf("%v after %d requests and %v", err, len(s.seen), time.Since(begun))
		}
	})
	synctest.Test(t, func(t *testing.T) { // longer than the caller can wait: at once
		c, s, _ := client(t, say(429, "", "Retry-After", "20"))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := c.Page(ctx, "101", 0)
		var e *confluence.Error
		if !errors.As(err, &e) || e.RetryAfter != 20*time.Second || len(s.seen) != 1 || time.Since(begun) != 0 {
			t.Errorf("%v after %d requests and %v", err, len(s.seen), time.Since(begun))
		}
	})
}

// Trap 18: a used-up quota is one for the whole app; the next call does not
// even ask.
func TestQuotaStopsAllCalls(t *testing.T) {
	for _, reason := range []string{"confluence-quota-global-based", "conf-global-based", "confluence-quota-tenant-based"} {
		synctest.Test(t, func(t *testing.T) {
			reset := time.Now().Add(20 * time.Minute).UTC().Format(time.RFC3339)
			c, s, _ := client(t, say(429, "", "RateLimit-Reason", reason, "X-RateLimit-Reset", reset))
			for range 2 {
				_, err := c.Page(t.Context(), "101", 0)
				var e *confluence.Error
				if !errors.As(err, &e) || e.RetryAfter < 19*time.Minute {
					t.Fatalf("%v", err)
				}
			}
			if len(s.seen) != 1 {
				t.Errorf("%s: %d requests, want 1", reason, len(s.seen))
			}
			time.Sleep(21 * time.Minute)
			s.answer = say(200, pageBody)
			if _, err := c.Page(t.Context(), "101", 0); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c, _, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
			if tries++; tries < 3 {
				say(502, "<html>bad gateway")(w, r)
				return
			}
			say(200, pageBody)(w, r)
		})
		if _, err := c.Page(t.Context(), "101", 0); err != nil || tries != 3 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
}

func TestAnswersAreLimited(t *testing.T) {
	huge := `{"id":"1","title":"` + strings.Repeat("x", confluence.MaxAnswer) + `"}`
	c, _, _ := client(t, say(200, huge))
	if _, err := c.Page(t.Context(), "101", 0); !confluence.Is(err, confluence.KindTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestBlogPostsAreFoundById(t *testing.T) {
	c, _, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blogposts/") {
			say(200, pageBody)(w, r)
			return
		}
		say(404, `{}`)(w, r)
	})
	if got, err := c.Page(t.Context(), "101", 0); err != nil || got.Type != "blogpost" {
		t.Errorf("%+v, %v", got, err)
	}
}

// Trap 15: by title means exactly this title, whatever comes back.
func TestTitlesAreComparedExactly(t *testing.T) {
	other := strings.Replace(pageBody, `"Plan"`, `"plan"`, 1)
	c, s, _ := client(t, say(200, `{"results":[`+other+`,`+pageBody+`]}`))
	got, err := c.PagesByTitle(t.Context(), "7", "Plan")
	if err != nil || len(got) != 1 || got[0].Title != "Plan" {
		t.Errorf("%+v, %v", got, err)
	}
	if path := s.seen[0].URL.Path; !strings.HasSuffix(path, "/api/v2/spaces/7/pages") {
		t.Errorf("asked %s", path)
	}
}

func TestIdsCannotChangeThePath(t *testing.T) {
	c, s, _ := client(t, say(200, pageBody))
	for _, id := range []string{"", "../spaces", "1/2", "1?x=y", "-1", strings.Repeat("1", 20)} {
		if _, err := c.Page(t.Context(), id, 0); !confluence.Is(err, confluence.KindNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		if _, err := c.SpaceByID(t.Context(), id); !confluence.Is(err, confluence.KindNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if len(s.seen) != 0 {
		t.Errorf("%d requests", len(s.seen))
	}
}

func TestNetworkErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _ := client(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.UpdatePage(ctx, confluence.Edit{ID: "101", Title: "t", Number: 2})
		if !confluence.Is(err, confluence.KindNetwork) || strings.Contains(err.Error(), "api.example") || len(s.seen) > 1 {
			t.Errorf("%v", err)
		}
	})
}
