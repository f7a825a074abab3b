package markup

import (
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/adf"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/loss"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/rewriting"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/writing"
)

// Rewrite writes a page anew from Markdown that was edited: before is the storage format that the Markdown was read from.
// What did not change keeps its bytes; Markdown that was not edited gives back before, byte for byte. Placeholders are put
// back from before, and those that are not from there by Options.Original. lost is what [Loss] says about before and
// after: a caller refuses to go on unless it was told otherwise. The error is [ErrTooLarge], or a [*storage.Error] about
// before.
func Rewrite(before, markdown string, opt Options) (after string, lost []string, err error) {
	if len(before) > storage.MaxSize || len(markdown) > storage.MaxSize {
		return "", nil, ErrTooLarge
	}
	edited := parse(markdown)
	// Who is mentioned by which name, the Markdown knows itself; else each mention would look like a change.
	names, ask := mentions(edited), opt.UserName
	opt.UserName = func(account string) string {
		if name := names[account]; name != "" || ask == nil {
			return name
		}
		return ask(account)
	}
	if read, ok := adf.Read(before); ok { // of whose bytes none can stay
		made := document(read)
		return writing.Write(edited, opt.writing()), append(made.Lost, made.Flattened...), nil
	}
	doc, err := storage.Parse(before)
	if err != nil {
		return "", nil, err
	}
	read := reading.Read(doc, reading.Options{UserName: opt.UserName})
	made := document(read)
	if made.Markdown == markdown {
		return before, nil, nil
	}
	opt.Original = made.Lookup(opt.Original)
	after = rewriting.Rewrite(doc, read.Blocks, edited, rewriting.Options{
		Reading: reading.Options{UserName: opt.UserName},
		Writing: opt.writing(),
	})
	return after, Loss(before, after), nil
}

// mentions are the names by which people are called in a page, by account.
func mentions(blocks []page.Block) map[string]string {
	names := map[string]string{}
	page.Walk(blocks, func(spans []page.Span) {
		for _, s := range spans {
			if s.Link == nil || s.Kind != page.Words {
				continue
			}
			scheme, account, _ := strings.Cut(s.Link.Target, ":")
			name, mention := strings.CutPrefix(s.Text, "@")
			if mention && (scheme == "confluence-user" || scheme == "confluence-userkey" || scheme == "confluence-username") {
				if id, err := url.PathUnescape(account); err == nil {
					names[id] = name
				}
			}
		}
	})
	return names
}

// Lookup answers for [Options.Original] from [Document.Originals]: by the name of a placeholder, or by all of it but its
// number, which moves when something is inserted before it, if only one is like that. What is not known here is asked of
// others, which may be nil. The answer is for one goroutine.
func (d Document) Lookup(others func(string) (string, bool)) func(placeholder string) (string, bool) {
	known := d.Originals
	var bare map[string]string // "" where several are alike
	return func(placeholder string) (string, bool) {
		if found, ok := known[placeholder]; ok {
			return found, true
		}
		if bare == nil {
			bare = make(map[string]string, len(known))
			for name, found := range known {
				name = page.Unnumbered(name)
				if other, ok := bare[name]; ok && other != found {
					found = ""
				}
				bare[name] = found
			}
		}
		if found := bare[page.Unnumbered(placeholder)]; found != "" {
			return found, true
		}
		if others == nil {
			return "", false
		}
		return others(placeholder)
	}
}

// Loss lists, in words for people, what is in one storage format and not in the other, and does not show in Markdown:
// macros without a Markdown form, the anchors of inline comments, looks of text that is still there. What cannot be read
// holds nothing.
func Loss(before, after string) []string {
	was, err := storage.Parse(before)
	if err != nil {
		return nil
	}
	now, _ := storage.Parse(after) // nil holds nothing
	return loss.Between(was, now)
}
