package markup_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden converts the pages of testdata/*.txtar. A case is a few files of one name: name.storage (or name.adf) is read
// and must give name.md, name.lost and name.flattened; that Markdown, or name.md alone where there is no page, is written
// and must give name.written. Placeholders are put back, as the vault does it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files (%v)", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		made := &txtar.Archive{Comment: archive.Comment}
		for i, f := range archive.Files {
			name, kind, _ := strings.Cut(f.Name, ".")
			if i > 0 && strings.HasPrefix(archive.Files[i-1].Name, name+".") {
				continue // belongs to the case before
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+name, func(t *testing.T) {
				made.Files = append(made.Files, convert(t, name, kind, f)...)
			})
		}
		want, got := string(txtar.Format(archive)), string(txtar.Format(made))
		if *update && !t.Failed() {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
		}
	}
}

func convert(t *testing.T, name, kind string, f txtar.File) []txtar.File {
	t.Helper()
	made := []txtar.File{f}
	add := func(kind, text string) {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		made = append(made, txtar.File{Name: name + "." + kind, Data: []byte(text)})
	}
	md := string(f.Data)
	var opt markup.Options
	whole := kind == "storage"
	if kind != "md" {
		read, err := markup.ToMarkdown(strings.TrimSuffix(md, "\n"), markup.Options{UserName: func(id string) string {
			if id == "557058:ada" {
				return "Ada Lovelace"
			}
			return ""
		}})
		if err != nil {
			t.Fatalf("ToMarkdown: %v", err)
		}
		opt.Original = func(placeholder string) (string, bool) {
			text, ok := read.Originals[placeholder]
			return text, ok
		}
		md = read.Markdown
		add("md", md)
		// Bodies of macros that have no form are shown between two placeholders, which cannot be put back yet.
		whole = whole && len(read.Originals) == len(read.Lost)
		if len(read.Lost) > 0 {
			add("lost", strings.Join(read.Lost, "\n"))
		}
		if len(read.Flattened) > 0 {
			add("flattened", strings.Join(read.Flattened, "\n"))
		}
	}
	written, err := markup.FromMarkdown(md, opt)
	if err != nil {
		t.Fatalf("FromMarkdown: %v", err)
	}
	wellFormed(t, written)
	add("written", written)
	if kind == "storage" {
		body := strings.TrimSuffix(string(f.Data), "\n")
		if after := rewrite(t, body, read(t, body)); after != body {
			t.Errorf("bytes changed without an edit:\n%s", cmp.Diff(body, after))
		}
	}
	if whole {
		stable(t, strings.TrimSuffix(string(f.Data), "\n"))
	}
	return made
}
