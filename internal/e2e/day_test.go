package e2e_test

//lint:file-ignore SA1019 clients have roots and logging for a year to come, and nothing else in their place

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// story is one person's day: each step is a call that must be answered.
type story struct {
	*testing.T
	w       *world
	session *mcp.ClientSession
}

func (s *story) call(tool string, args map[string]any) map[string]any {
	s.Helper()
	said, err := slow(s.T, s.session, tool, args)
	if err != nil {
		s.Fatalf("%s: %v", tool, err)
	}
	return said
}

// refused is a call that must be refused, and the text of that.
func (s *story) refused(tool string, args map[string]any) string {
	s.Helper()
	said, err := slow(s.T, s.session, tool, args)
	if err == nil {
		s.Fatalf("%s was not refused: %v", tool, said)
	}
	return err.Error()
}

func text(said map[string]any, name string) string {
	t, _ := said[name].(string)
	return t
}

// newStory starts a laptop, whose client works in a folder, for a person.
func newStory(t *testing.T, w *world, person, folder string) *story {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil)
	client.AddRoots(&mcp.Root{URI: (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String(), Name: "work"})
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: w.laptop(person).Shim(t.Context())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	w.signIn(session, person)
	return &story{T: t, w: w, session: session}
}

// parts cuts a body in front of the headings of a section and behind it.
func parts(t *testing.T, body, heading, next string) (before, section, after string) {
	t.Helper()
	from, to := strings.Index(body, "<h2>"+heading), strings.Index(body, "<h2>"+next)
	if from < 0 || to < from {
		t.Fatalf("no section %q before %q in:\n%s", heading, next, body)
	}
	return body[:from], body[from:to], body[to:]
}

var marker = regexp.MustCompile(`</?ac:inline-comment-marker[^>]*>`)

// TestADayOfWork is what people do with pages, on the two real programs: find,
// outline, preview, change one section, meet a conflict, comment a quote, move a
// file both ways, go back to how it was. Outside the section every byte stays.
func TestADayOfWork(t *testing.T) {
	w := newWorld(t, stage.Options{})
	work, down := t.TempDir(), filepath.Join(t.TempDir(), "down")
	if err := os.Mkdir(down, 0o700); err != nil {
		t.Fatal(err)
	}
	ada, ben := newStory(t, w, "ada", work), newStory(t, w, "ben", down)

	found, _ := ada.call("confluence_search", map[string]any{"query": "deployment", "space": "ENG", "title_only": true})["results"].([]any)
	if len(found) == 0 {
		t.Fatal("the page was not found")
	}
	hit, _ := found[0].(map[string]any)
	id := text(hit, "id")
	first, ok := w.Sim.PageByID(id)
	if !ok || first.Title != "Deployment guide" {
		t.Fatalf("found %v", hit)
	}
	outline := ada.call("confluence_get_page", map[string]any{"page": id, "view": "outline"})
	if shown := text(outline, "markdown"); !strings.Contains(shown, "- roll-back: Roll back") || strings.Contains(shown, "twenty minutes") {
		t.Fatalf("outline:\n%s", shown)
	}

	edit := map[string]any{
		"page": id, "expected_version": first.Version, "operation": "replace_section", "section": "roll-back",
		"body": "## Roll back\n\nRun `ship rollback` and tell **#ops**.\n", "message": "shorter", "dry_run": true, "allow_loss": true,
	}
	if preview := ada.call("confluence_edit_page", edit); !strings.Contains(text(preview, "changes"), "ship rollback") {
		t.Errorf("the preview shows no difference: %v", preview)
	}
	if now, _ := w.Sim.PageByID(id); now != first {
		t.Fatalf("the preview wrote version %d", now.Version)
	}
	edit["dry_run"] = false
	ada.call("confluence_edit_page", edit)
	second, _ := w.Sim.PageByID(id)
	before, old, after := parts(t, first.Body, "Roll back", "Deployment windows")
	nowBefore, changed, nowAfter := parts(t, second.Body, "Roll back", "Deployment windows")
	if before != nowBefore || after != nowAfter || old == changed || !strings.Contains(changed, "<strong>#ops</strong>") || second.Version != first.Version+1 {
		t.Fatalf("version %d:\n%s", second.Version, second.Body)
	}

	// Somebody else read the page before that.
	conflict := ben.refused("confluence_edit_page", map[string]any{
		"page": id, "expected_version": first.Version, "operation": "replace_text", "find": "about twenty minutes", "body": "half an hour",
	})
	if !strings.Contains(conflict, "at version") || !strings.Contains(conflict, "ship rollback") {
		t.Errorf("the conflict does not show what changed: %s", conflict)
	}
	if now, _ := w.Sim.PageByID(id); now != second {
		t.Fatal("a conflict wrote something")
	}
	ben.call("confluence_comment", map[string]any{"action": "create", "page": id, "quote": "about twenty minutes", "body": "Rather half an hour."})
	comments, _ := ada.call("confluence_get_comments", map[string]any{"page": id, "kind": "inline"})["comments"].([]any)
	if len(comments) != 1 || !strings.Contains(text(comments[0].(map[string]any), "quote"), "twenty minutes") {
		t.Errorf("comments: %v", comments)
	}

	sum := writeFile(t, filepath.Join(work, "recording.bin"), 100<<20)
	ada.call("confluence_upload_attachment", map[string]any{"page": id, "path": filepath.Join(work, "recording.bin")})
	ben.call("confluence_download_attachment", map[string]any{"page": id, "file": "recording.bin", "folder": down})
	if got := hashOf(t, filepath.Join(down, "recording.bin")); got != sum {
		t.Error("another file came down than went up")
	}

	third, _ := w.Sim.PageByID(id)
	ada.call("confluence_manage_page", map[string]any{"page": id, "action": "restore_version", "version": first.Version, "expected_version": third.Version})
	last, _ := w.Sim.PageByID(id)
	if marker.ReplaceAllString(last.Body, "") != first.Body || last.Version <= third.Version {
		t.Errorf("restored as version %d:\n%s", last.Version, last.Body)
	}
}
