package pages

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/people"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/section"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/marks"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/writing"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Sizes of views.
const (
	chunkChars  = 4000 // of a chunk, unless asked otherwise
	maxMatches  = 30
	aroundMatch = 80 // characters
	maxHeading  = 120
)

// viewOf is the view that is asked for; the arguments section and search say it
// too.
func viewOf(in getPageIn) (string, error) {
	view := in.View
	switch {
	case view == "" && in.Section != "":
		view = "section"
	case view == "" && in.Search != "":
		view = "search"
	}
	view, err := arguments.OneOf("view", view, "full", "outline", "section", "chunk", "search", "storage", "adf")
	switch {
	case err != nil:
		return "", err
	case view == "section" != (in.Section != ""):
		return "", usererr.New(usererr.BadInput, "The arguments view and section do not fit", "Give section (an id from view outline) with view section, and nowhere else")
	case view == "search" != (strings.TrimSpace(in.Search) != ""):
		return "", usererr.New(usererr.BadInput, "The arguments view and search do not fit", "Give search (a text) with view search, and nowhere else")
	}
	return view, nil
}

// raw reports whether a view shows what Confluence keeps, as it is.
func raw(view string) bool { return view == "storage" || view == "adf" }

// splitRaw cuts a text after some characters and nowhere else.
func splitRaw(text string, chars int) (head, rest string) {
	for at := range text {
		if chars == 0 {
			return text[:at], text[at:]
		}
		chars--
	}
	return text, ""
}

// looked is a view of a page.
type looked struct {
	text    string
	said    string   // what the view leaves out
	lost    []string // what is not in the Markdown and cannot be put back
	section string   // id
}

// look makes the view of a page.
func look(ctx context.Context, w *guard.Wiki, page guard.Page, at pageCursor) (looked, error) {
	unreadable := func(err error) error {
		return usererr.Wrap(err, usererr.Internal, "The page's content cannot be converted to Markdown", "Open it in the browser: "+page.URL)
	}
	if at.View == "full" || at.View == "chunk" || at.View == "" {
		doc, err := markup.ToMarkdown(page.Body, named(ctx, w, page.Body))
		if err != nil {
			return looked{}, unreadable(err)
		}
		return looked{text: doc.Markdown, lost: lossy(doc)}, nil
	}
	switch at.View {
	case "storage":
		return looked{text: page.Body, said: "In storage format, as Confluence keeps it."}, nil
	case "adf":
		text, err := pages.ADF(ctx, w, page, at.Version != 0)
		return looked{text: text, said: "As an Atlassian document in JSON."}, err
	}
	o, err := section.Read(page.Body)
	if err != nil {
		return looked{}, unreadable(err)
	}
	switch at.View {
	case "outline":
		return outline(o), nil
	case "search":
		return search(o, at.Search), nil
	}
	return one(ctx, w, page, o, at.Section)
}

// named tells the names of those who are mentioned in a body.
func named(ctx context.Context, w *guard.Wiki, body string) markup.Options {
	names := people.Names(ctx, w, markup.Accounts(body))
	return markup.Options{UserName: func(account string) string { return names[account] }}
}

// one is a section as Markdown. Its placeholders are numbered as on the page.
func one(ctx context.Context, w *guard.Wiki, page guard.Page, o section.Outline, name string) (looked, error) {
	s, err := writing.Choose(o, name)
	if err != nil {
		return looked{}, err
	}
	doc, err := markup.ToMarkdown(o.Cut(s), named(ctx, w, o.Cut(s)))
	if err != nil {
		return looked{}, usererr.Wrap(err, usererr.Internal, "The section cannot be converted to Markdown", "Open the page in the browser: "+page.URL)
	}
	text := doc.Markdown
	if len(doc.Originals) > 0 {
		text = marks.Of(page.Body).Rename(text, marks.Of(o.Cut(s)))
	}
	return looked{
		text: text, lost: lossy(doc), section: s.ID,
		said: fmt.Sprintf("Section %s only, of %d.", s.ID, len(o.Sections)),
	}, nil
}

// outline lists the sections with their sizes.
func outline(o section.Outline) looked {
	var b strings.Builder
	for _, s := range o.Sections {
		title := tool.Clip(s.Title, maxHeading)
		if s.ID == section.Top {
			title = "(before the first heading)"
		}
		fmt.Fprintf(&b, "%s- %s: %s (%d characters)\n", strings.Repeat("  ", max(s.Level-1, 0)), s.ID, title, utf8.RuneCountInString(o.Cut(s)))
	}
	return looked{text: b.String(), said: fmt.Sprintf("Outline of %d sections with their ids and sizes in storage format; the text is left out.", len(o.Sections))}
}

// search lists the places of a text with their sections.
func search(o section.Outline, text string) looked {
	found, total := o.Search(text, maxMatches, aroundMatch)
	var b strings.Builder
	for _, m := range found {
		in := m.Section
		if in == "" {
			in = section.Top
		}
		fmt.Fprintf(&b, "- %s: %s**%s**%s\n", in, m.Before, m.Text, m.After)
	}
	said := fmt.Sprintf("%d places with the ids of their sections; the rest of the text is left out.", total)
	if total > len(found) {
		said = fmt.Sprintf("The first %d of %s", len(found), said)
	}
	return looked{text: b.String(), said: said}
}

// lossy lists what is not in the Markdown of doc and cannot be put back.
func lossy(doc markup.Document) []string {
	var lost []string
	seen := map[string]bool{}
	add := func(thing string) {
		if !seen[thing] {
			seen[thing] = true
			lost = append(lost, thing)
		}
	}
	for _, mark := range doc.Lost {
		if _, kept := doc.Originals[mark]; !kept {
			add(mark)
		}
	}
	for _, look := range doc.Flattened {
		add(look)
	}
	return lost
}

// budget is how many characters of a text may be shown: so many, and so many
// tokens, 0 for no limit. Tokens are estimated, rather too many than too few:
// four ASCII characters are one, and every other character is.
func budget(text string, chars, tokens int) int {
	if tokens == 0 {
		return chars
	}
	quarters, n := 0, 0
	for _, c := range text {
		cost := 4
		if c < utf8.RuneSelf {
			cost = 1
		}
		if quarters += cost; quarters > 4*tokens || n == chars {
			break
		}
		n++
	}
	return max(n, 1)
}
