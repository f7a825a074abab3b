package markup_test

import (
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

func rewrite(t *testing.T, before, markdown string) string {
	t.Helper()
	after, _, err := markup.Rewrite(before, markdown, markup.Options{})
	if err != nil {
		t.Fatalf("Rewrite: %v\n%s", err, before)
	}
	wellFormed(t, after)
	return after
}

func read(t *testing.T, body string) string {
	t.Helper()
	doc, err := markup.ToMarkdown(body, markup.Options{})
	if err != nil {
		t.Fatalf("ToMarkdown: %v\n%s", err, body)
	}
	return doc.Markdown
}

// TestUneditedKeepsItsBytes is the first law.
func TestUneditedKeepsItsBytes(t *testing.T) {
	for seed := range int64(400) {
		body := page(seed)
		if after := rewrite(t, body, read(t, body)); after != body {
			t.Fatalf("seed %d: bytes changed (-before +after):\n%s", seed, cmp.Diff(body, after))
		}
	}
}

// TestOneEdit is the second law: what is around an edit keeps its bytes.
func TestOneEdit(t *testing.T) {
	for seed := range int64(400) {
		before, behind := page(seed), page(seed+1_000_000)
		middle := "<p>The old text.</p>"
		body := before + middle + behind
		md := read(t, body)
		edited := strings.Replace(md, "The old text.", "A new text.", 1)
		if edited == md {
			t.Fatalf("seed %d: the text is not there:\n%s", seed, md)
		}
		want := before + "<p>A new text.</p>" + behind
		if after := rewrite(t, body, edited); after != want {
			t.Fatalf("seed %d (-want +got):\n%s\nMarkdown:\n%s", seed, cmp.Diff(want, after), md)
		}
	}
}

// TestEditsSayWhatTheyShould is the third: what was written reads as what was edited.
func TestEditsSayWhatTheyShould(t *testing.T) {
	for seed := range int64(400) {
		a, b := page(seed), page(seed+2_000_000)
		random := rand.New(rand.NewSource(seed))
		blocks := strings.Split(read(t, a), "\n\n")
		more := strings.Split(read(t, b), "\n\n")
		more = slices.DeleteFunc(more, func(block string) bool { return strings.Contains(block, "[[") }) // of another page
		if len(more) == 0 {
			continue
		}
		at := random.Intn(len(blocks))
		switch random.Intn(3) {
		case 0:
			blocks = append(blocks[:at:at], blocks[at+1:]...)
		case 1:
			blocks[at] = more[random.Intn(len(more))]
		default:
			blocks = append(blocks[:at:at], append([]string{more[random.Intn(len(more))]}, blocks[at:]...)...)
		}
		edited := strings.Join(blocks, "\n\n") + "\n"
		doc, _ := markup.ToMarkdown(a, markup.Options{})
		whole, err := markup.FromMarkdown(edited, markup.Options{Original: func(p string) (string, bool) {
			text, ok := doc.Originals[p]
			return text, ok
		}})
		if err != nil {
			t.Fatal(err)
		}
		after := rewrite(t, a, edited)
		if diff := cmp.Diff(number(read(t, whole)), number(read(t, after))); diff != "" {
			t.Fatalf("seed %d (-written as a whole +rewritten):\n%s\nMarkdown:\n%s\npage:\n%s\nrewritten:\n%s\nwhole:\n%s", seed, diff, edited, a, after, whole)
		}
	}
}

// number takes out what tells placeholders and tasks apart.
func number(md string) string {
	var out strings.Builder
	for i := 0; i < len(md); i++ {
		if md[i] >= '0' && md[i] <= '9' {
			continue
		}
		out.WriteByte(md[i])
	}
	return out.String()
}
