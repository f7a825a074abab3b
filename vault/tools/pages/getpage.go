// Package pages has the tools that read and write pages: those that read are
// here, the others in the packages below it.
package pages

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/permissions"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/history"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/managing"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/templates"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/writing"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

type getPageIn struct {
	Page      arguments.Ref `json:"page,omitempty" jsonschema:"id, URL, short link"`
	Space     string        `json:"space,omitempty" jsonschema:"key, with title instead of page"`
	Title     string        `json:"title,omitempty" jsonschema:"exact, with space"`
	View      string        `json:"view,omitempty" jsonschema:"full (default), outline, section, chunk, search, storage, adf"`
	Section   string        `json:"section,omitempty" jsonschema:"id from the outline"`
	Search    string        `json:"search,omitempty" jsonschema:"text to find on the page"`
	Version   int           `json:"version,omitempty" jsonschema:"an older version"`
	MaxChars  int           `json:"max_chars,omitempty" jsonschema:"1000-100000, default 20000"`
	MaxTokens int           `json:"max_tokens,omitempty" jsonschema:"250-50000"`
	Cursor    string        `json:"cursor,omitempty" jsonschema:"next_cursor before"`
	Site      string        `json:"site,omitempty"`
}

type getPageOut struct {
	Notice     string   `json:"notice"`
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Type       string   `json:"type"`
	Space      string   `json:"space"`
	Site       string   `json:"site"`
	Version    int      `json:"version"`
	URL        string   `json:"url"`
	ParentID   string   `json:"parent_id,omitempty"`
	Status     string   `json:"status"`
	Created    string   `json:"created,omitempty"`
	Updated    string   `json:"updated,omitempty"`
	Author     string   `json:"author_id,omitempty"`
	Labels     []string `json:"labels,omitempty"`
	Restricted string   `json:"restricted,omitempty"`
	Markdown   string   `json:"markdown,omitempty"`
	Source     string   `json:"source,omitempty"` // in views storage and adf
	Lost       []string `json:"lost,omitempty" jsonschema:"not in the Markdown; kept where the text stays"`
	Part       string   `json:"part,omitempty"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, getPageTool)
	trees.Add(s, set)
	history.Add(s, set)
	writing.Add(s, set)
	managing.Add(s, set)
	templates.Add(s, set)
}

const getPage = "confluence_get_page"

var getPageTool = tool.Spec[getPageIn, getPageOut]{
	Name: getPage, Title: "Read a Confluence page",
	Description: "Read a page as Markdown. Large pages: view outline first, then section by id, or search. The rest comes with next_cursor.",
	Run:         readPage,
}

// pageCursor is where reading goes on: in the very version that was begun.
type pageCursor struct {
	Site, ID string
	Version  int
	View     string `json:",omitempty"`
	Section  string `json:",omitempty"`
	Search   string `json:",omitempty"`
	Offset   int    // bytes of the text that is shown
	Again    string // what is repeated before them: the heading of a table, the fence of code
	Chars    int
	Tokens   int    `json:",omitempty"`
	Sum      uint32 `json:",omitempty"` // of the text before Offset
}

func readPage(ctx context.Context, t *tool.Set, in getPageIn) (getPageOut, string, error) {
	at, err := pageAt(ctx, t, in)
	if err != nil {
		return getPageOut{}, "", err
	}
	site := in.Site
	if at.Site != "" {
		site = at.Site
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[getPageOut]{
		Tool: getPage, Site: site, Page: string(in.Page), Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (getPageOut, error) { return part(ctx, t, w, in, at) },
	})
	return out, pageText(out), err
}

func pageAt(ctx context.Context, t *tool.Set, in getPageIn) (pageCursor, error) {
	chars, err := arguments.Within("max_chars", in.MaxChars, 20000, 1000, 100000)
	if err != nil {
		return pageCursor{}, err
	}
	tokens, err := arguments.Within("max_tokens", in.MaxTokens, 0, 250, 50000)
	if err != nil {
		return pageCursor{}, err
	}
	if in.Cursor != "" {
		var at pageCursor
		err := t.Door.OpenCursor(ctx, getPage, in.Cursor, &at)
		if in.MaxChars != 0 || in.MaxTokens != 0 {
			at.Chars, at.Tokens = chars, tokens
		}
		return at, err
	}
	if byTitle := in.Space != "" && in.Title != ""; (in.Page == "") != byTitle {
		return pageCursor{}, usererr.New(usererr.BadInput, "The page is not named", "Give page (id, address or short link), or space and title")
	}
	view, err := viewOf(in)
	if view == "chunk" && in.MaxChars == 0 {
		chars = chunkChars
	}
	return pageCursor{View: view, Section: in.Section, Search: in.Search, Version: in.Version, Chars: chars, Tokens: tokens}, err
}

// part reads the page and cuts out what the budget allows.
func part(ctx context.Context, t *tool.Set, w *guard.Wiki, in getPageIn, at pageCursor) (getPageOut, error) {
	if at.ID == "" {
		w.WithLabels()
	}
	page, changed, err := findPage(ctx, w, in, at)
	if err != nil {
		return getPageOut{}, err
	}
	shown, err := look(ctx, w, page, at)
	if err != nil {
		return getPageOut{}, err
	}
	text := shown.text
	anew := at.View == "adf" // which Confluence makes for each request, with other ids
	if at.Offset > len(text) || !anew && sum(text[:at.Offset]) != at.Sum {
		return getPageOut{}, usererr.New(usererr.Conflict, "The page cannot be read on from there", "Read it again without cursor")
	}
	left := at.Again + text[at.Offset:]
	split := markup.Split
	if raw(at.View) {
		split = splitRaw
	}
	head, rest := split(left, budget(left, at.Chars, at.Tokens))
	end, again := whereIs(rest, text)
	out := getPageOut{
		Notice: tool.Notice, ID: page.ID, Title: page.Title, Type: page.Type, Space: page.Space, Site: w.Site(), Version: page.Version, URL: page.URL,
		ParentID: page.ParentID, Status: page.Status, Created: tool.Stamp(page.Created), Updated: tool.Stamp(page.Updated), Author: page.Author,
		Markdown: head, Labels: page.Labels,
	}
	if raw(at.View) {
		out.Markdown, out.Source = "", head
	}
	if at.Offset == 0 {
		out.Lost = change.Some(shown.lost)
		out.Restricted = restricted(ctx, w, page, at.View)
	}
	out.Part = leftOut(shown, at, end)
	if changed > 0 {
		out.Part += fmt.Sprintf(" The page has changed meanwhile: it is at version %d, and this is still version %d.", changed, page.Version)
	}
	if end < len(text) {
		out.NextCursor, err = t.Door.Cursor(ctx, getPage, pageCursor{
			Site: w.Site(), ID: page.ID, Version: page.Version, View: at.View, Section: shown.section, Search: at.Search,
			Offset: end, Again: again, Chars: at.Chars, Tokens: at.Tokens, Sum: sum(text[:end]),
		})
	}
	out.Part = strings.TrimSpace(out.Part)
	return out, err
}

// restricted says what the page itself restricts, in the view that describes it.
// It costs a request of its own; without an answer nothing is said.
func restricted(ctx context.Context, w *guard.Wiki, page guard.Page, view string) string {
	if view != "outline" {
		return ""
	}
	named, err := permissions.Of(ctx, w, page)
	read, update := len(named[permissions.Read]) > 0, len(named[permissions.Update]) > 0
	switch {
	case err != nil:
		return ""
	case read && update:
		return "reading and editing"
	case read:
		return "reading"
	case update:
		return "editing"
	}
	return "no"
}

// sum tells whether the text before a place is the same: names of people are in
// it, which may change or be asked for in vain.
func sum(text string) uint32 { return crc32.ChecksumIEEE([]byte(text)) }

// leftOut says what of a text is shown.
func leftOut(shown looked, at pageCursor, end int) string {
	said := shown.said
	if at.Offset > 0 || end < len(shown.text) {
		said += fmt.Sprintf(" Characters %d to %d of %d are shown.", utf8.RuneCountInString(shown.text[:at.Offset])+1,
			utf8.RuneCountInString(shown.text[:end]), utf8.RuneCountInString(shown.text))
	}
	return said
}

// findPage reads the page that the arguments or the cursor name. changed is
// the current version where the cursor's is an older one.
func findPage(ctx context.Context, w *guard.Wiki, in getPageIn, at pageCursor) (page guard.Page, changed int, err error) {
	switch {
	case at.ID != "":
		page, err = pages.Named(ctx, w, at.ID)
		if err == nil && page.Version != at.Version {
			changed = page.Version
			page, err = w.PageVersion(ctx, at.ID, at.Version)
		}
		return page, changed, err
	case in.Page != "":
		page, err = pages.Named(ctx, w, string(in.Page))
	default:
		page, err = w.PageByTitle(ctx, in.Space, in.Title)
	}
	if err == nil && in.Version != 0 && in.Version != page.Version {
		page, err = w.PageVersion(ctx, page.ID, in.Version)
	}
	return page, changed, err
}

// maxAgain limits what a cursor carries along.
const maxAgain = 4 << 10

// whereIs finds rest in text: it is the end of text, perhaps with something
// repeated before it.
func whereIs(rest, text string) (offset int, again string) {
	same := 0
	for same < min(len(rest), len(text)) && rest[len(rest)-1-same] == text[len(text)-1-same] {
		same++
	}
	offset, again = len(text)-same, rest[:len(rest)-same]
	for offset < len(text) && !utf8.RuneStart(text[offset]) {
		again, offset = again+text[offset:offset+1], offset+1
	}
	if len(again) > maxAgain {
		return offset, ""
	}
	return offset, again
}

func pageText(out getPageOut) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s %s in space %s on site %s, version %d", out.Title, out.Type, out.ID, out.Space, out.Site, out.Version)
	for _, more := range [][2]string{{"status ", out.Status}, {"parent ", out.ParentID}, {"created ", out.Created}, {"updated ", out.Updated}, {"by account ", out.Author}} {
		if more[1] != "" && more[1] != "current" {
			b.WriteString(", " + more[0] + more[1])
		}
	}
	b.WriteString("\n" + out.URL + "\n")
	if len(out.Labels) > 0 {
		b.WriteString("Labels: " + plaintext.Line(strings.Join(out.Labels, ", "), 1000) + "\n")
	}
	if out.Restricted != "" {
		b.WriteString("Restricted by the page itself: " + out.Restricted + "\n")
	}
	if len(out.Lost) > 0 {
		b.WriteString("Not in the Markdown, but kept by an update where the text around it stays: " + strings.Join(out.Lost, ", ") + "\n")
	}
	if out.Part != "" {
		b.WriteString(out.Part + "\n")
	}
	// Before the content, so that nobody else can have written it.
	tool.More(&b, out.NextCursor)
	b.WriteString("\n" + tool.Notice + "\n\n" + out.Markdown + out.Source)
	return b.String()
}
