package arrange_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/arrange"
)

// answering is a client of a Confluence that answers everything with one text,
// and what it was asked.
func answering(t *testing.T, status int, text string) (*confluence.Client, *string) {
	t.Helper()
	asked := new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = r.Method + " " + r.URL.Path + " " + string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return confluence.New(confluence.Config{HTTP: server.Client(), Base: server.URL, Token: secret.New("t"), Log: slog.New(slog.DiscardHandler)}), asked
}

func TestRequests(t *testing.T) {
	for want, do := range map[string]func(context.Context, *confluence.Client) error{
		`PUT /rest/api/content/1/move/after/2 `: func(ctx context.Context, c *confluence.Client) error {
			return arrange.Move(ctx, c, "1", arrange.After, "2")
		},
		`POST /rest/api/content/1/copy {"copyAttachments":true,"copyCustomContents":true,"copyLabels":true,"copyPermissions":false,"copyProperties":true,"destination":{"type":"parent_page","value":"2"},"pageTitle":"T"}`: func(ctx context.Context, c *confluence.Client) error {
			_, err := arrange.One(ctx, c, arrange.Copy{ID: "1", Parent: "2", Title: "T"})
			return err
		},
		`POST /rest/api/content/1/pagehierarchy/copy {"copyAttachments":true,"copyCustomContents":true,"copyDescendants":true,"copyLabels":true,"copyPermissions":false,"copyProperties":true,"destinationPageId":"2","titleOptions":{"prefix":"P "}}`: func(ctx context.Context, c *confluence.Client) error {
			_, err := arrange.Tree(ctx, c, "1", "2", "P ")
			return err
		},
		`POST /rest/api/content/archive {"pages":[{"id":12}]}`: func(ctx context.Context, c *confluence.Client) error {
			_, err := arrange.Archive(ctx, c, "12")
			return err
		},
	} {
		c, asked := answering(t, 200, `{"id":77,"links":{}}`)
		if err := do(t.Context(), c); err != nil || *asked != want {
			t.Errorf("%s\nwas asked, want\n%s\n%v", *asked, want, err)
		}
	}
}

// Nothing goes into a path that is no id.
func TestIDsAreChecked(t *testing.T) {
	c, asked := answering(t, 200, `{}`)
	for _, id := range []string{"", "../1", "1/2", "1?x", "a", "٣"} {
		_, err1 := arrange.One(t.Context(), c, arrange.Copy{ID: id, Parent: "2"})
		_, err2 := arrange.Tree(t.Context(), c, "1", id, "")
		_, err3 := arrange.Archive(t.Context(), c, id)
		for _, err := range []error{arrange.Move(t.Context(), c, id, arrange.Below, "2"), arrange.Move(t.Context(), c, "1", arrange.Below, id), err1, err2, err3} {
			if !confluence.Is(err, confluence.KindNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		if _, err := arrange.Look(t.Context(), c, id+"/.."); !confluence.Is(err, confluence.KindNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if *asked != "" {
		t.Errorf("%s was sent", *asked)
	}
}

// An answer without an id leaves open what happened.
func TestAnswersWithoutAnID(t *testing.T) {
	for _, text := range []string{`{}`, `{"id":""}`, `[]`, `<html>`} {
		c, _ := answering(t, 200, text)
		_, err1 := arrange.One(t.Context(), c, arrange.Copy{ID: "1", Parent: "2"})
		_, err2 := arrange.Tree(t.Context(), c, "1", "2", "")
		for _, err := range []error{err1, err2} {
			if !confluence.Is(err, confluence.KindProtocol) || !confluence.Unsure(err) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

func TestLook(t *testing.T) {
	for text, want := range map[string]arrange.Task{
		`{"percentageComplete":50,"finished":false}`: {Percent: 50},
		`{"percentageComplete":900,"finished":true,"successful":true,"additionalDetails":{"destinationId":"12","totalPageNeedToCopy":3}}`: {Percent: 100, Done: true, OK: true, Pages: 3, Copy: "12"},
		`{"percentageComplete":-1,"finished":true,"additionalDetails":{"destinationId":"../x","totalPageNeedToCopy":-3}}`:                 {Done: true},
		`{}`: {},
	} {
		c, _ := answering(t, 200, text)
		got, err := arrange.Look(t.Context(), c, "9")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
}
