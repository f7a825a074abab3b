package pages

import (
	"regexp"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// maxBody is how many bytes of storage format Confluence takes.
const maxBody = 5 << 20

// storage converts a body, within the limits. Marks of what Markdown cannot
// show are put back from original, the page as it was read; nil without one.
func storage(body string, original map[string]string) (string, error) {
	tooLarge := usererr.New(usererr.TooLarge, "The body is larger than the 5 MB that Confluence takes", "Split it into several pages")
	if len(body) > maxBody {
		return "", tooLarge
	}
	text, err := markup.FromMarkdown(body, markup.Options{Original: func(mark string) (string, bool) { return putBack(mark, original) }})
	if err != nil {
		return "", usererr.Wrap(err, usererr.BadInput, "The body cannot be converted from Markdown", "Simplify it and try again")
	}
	if len(text) > maxBody {
		return "", tooLarge
	}
	return text, nil
}

// putBack finds what a mark stands for: by its name, or by all of it but the
// counter, which moves when something is inserted before it.
func putBack(mark string, original map[string]string) (string, bool) {
	if found, ok := original[mark]; ok {
		return found, true
	}
	var like []string
	for other, found := range original {
		if counter.ReplaceAllString(other, "") == counter.ReplaceAllString(mark, "") {
			like = append(like, found)
		}
	}
	if len(like) != 1 {
		return "", false
	}
	return like[0], true
}

// sameText compares two bodies as people read them: Confluence adds ids of
// its own to what it stores.
func sameText(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := markup.ToMarkdown(a, markup.Options{})
	y, err2 := markup.ToMarkdown(b, markup.Options{})
	return err1 == nil && err2 == nil && slices.Equal(strings.Fields(x.Markdown), strings.Fields(y.Markdown))
}

// lossy lists what is not in the Markdown of doc and cannot be put back.
func lossy(doc markup.Document) []string {
	var lost []string
	for _, mark := range doc.Lost {
		if _, kept := doc.Originals[mark]; !kept {
			lost = append(lost, mark)
		}
	}
	for _, look := range doc.Flattened {
		if !slices.Contains(lost, look) {
			lost = append(lost, look)
		}
	}
	return lost
}

// counter is the part of a mark that says only where it stood.
var counter = regexp.MustCompile(`#\d+`)

// dropped lists what was in a page beside its Markdown and is not any more.
func dropped(before markup.Document, after string) []string {
	all := append(slices.Clone(before.Lost), before.Flattened...)
	if len(all) == 0 {
		return nil
	}
	now, _ := markup.ToMarkdown(after, markup.Options{}) // what cannot be read keeps nothing
	kept := append(now.Lost, now.Flattened...)
	for i := range kept {
		kept[i] = counter.ReplaceAllString(kept[i], "")
	}
	var lost []string
	for _, thing := range all {
		thing = counter.ReplaceAllString(thing, "")
		if i := slices.Index(kept, thing); i >= 0 {
			kept = slices.Delete(kept, i, i+1)
			continue
		}
		if !slices.Contains(lost, thing) {
			lost = append(lost, thing)
		}
	}
	return some(lost)
}

// maxLost limits the things that one answer names as lost.
const maxLost = 20

// some shortens a list of lost things.
func some(lost []string) []string {
	var short []string
	for _, thing := range lost {
		if len(short) == maxLost {
			return append(short, "…")
		}
		short = append(short, tool.Clip(thing, 80))
	}
	return short
}
