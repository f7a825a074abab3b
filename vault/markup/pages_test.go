package markup_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// TestPages reads and edits the long pages of testdata/pages. Each file holds a page, its Markdown, and edits: a text, what
// comes in its place, and the bytes of the page that change by that, before and after.
func TestPages(t *testing.T) {
	files, err := filepath.Glob("testdata/pages/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d pages (%v), want 20", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			made := &txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1:1]}
			body := strings.TrimSuffix(string(archive.Files[0].Data), "\n")
			md := read(t, body)
			made.Files = append(made.Files, txtar.File{Name: "page.md", Data: []byte(md)})
			if after := rewrite(t, body, md); after != body {
				t.Errorf("bytes changed without an edit:\n%s", cmp.Diff(body, after))
			}
			stable(t, body)
			for _, f := range archive.Files[1:] {
				if f.Name == "edit" {
					made.Files = append(made.Files, f, edited(t, body, md, string(f.Data)))
				}
			}
			golden(t, file, archive, made)
		})
	}
}

// edited makes one edit and tells what became of the page's bytes.
func edited(t *testing.T, body, md, edit string) txtar.File {
	t.Helper()
	from, to, _ := strings.Cut(strings.TrimSuffix(edit, "\n"), "\n")
	if strings.Count(md, from) == 0 {
		t.Fatalf("the text %q is not there:\n%s", from, md)
	}
	now := strings.Replace(md, from, to, 1)
	after, lost, err := markup.Rewrite(body, now, markup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, after)
	if diff := cmp.Diff(now, read(t, after)); diff != "" {
		t.Errorf("what was written does not read as what was edited (-edited +read):\n%s", diff)
	}
	if len(lost) > 0 {
		t.Errorf("the edit %q loses %q", to, lost)
	}
	old, new := difference(body, after)
	return txtar.File{Name: "changed", Data: []byte("- " + old + "\n+ " + new + "\n")}
}

// difference is what two texts do not have in common at both ends.
func difference(a, b string) (string, string) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// golden compares with a golden file, or writes it anew.
func golden(t *testing.T, file string, want, made *txtar.Archive) {
	t.Helper()
	if *update && !t.Failed() {
		if err := os.WriteFile(file, txtar.Format(made), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(txtar.Format(want)), string(txtar.Format(made))); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}
