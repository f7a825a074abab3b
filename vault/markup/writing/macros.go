package writing

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// macro begins a macro; its parameters, its body and endMacro follow.
func (w *writer) macro(name string) {
	w.str(`<ac:structured-macro ac:name="`)
	w.text(name)
	w.str(`" ac:schema-version="1">`)
}

func (w *writer) endMacro() { w.str("</ac:structured-macro>") }

// parameter writes a parameter, unless it is empty.
func (w *writer) parameter(name, value string) {
	if value = clean(value); value == "" {
		return
	}
	w.str(`<ac:parameter ac:name="` + name + `">`)
	w.text(value)
	w.str("</ac:parameter>")
}

// panel writes a macro with a title and blocks in it.
func (w *writer) panel(macro string, b *page.Block) {
	w.macro(macro)
	w.parameter("title", b.Title)
	w.element("ac:rich-text-body", func() {
		if len(b.Kids) == 0 {
			w.str("<p />")
		}
		w.blocks(b.Kids)
	})
	w.endMacro()
}

// code writes the code macro, or noformat.
func (w *writer) code(b *page.Block) {
	words := settings(b.Info)
	name, language := "code", b.Name
	switch macro := words["macro"]; {
	case language == "noformat":
		name, language = "noformat", ""
	case language == "math" && (macro == "mathblock" || macro == "mathblock-macro" || macro == "easy-math-block"):
		name, language = macro, ""
	}
	if language == "" {
		language = words["language"]
	}
	w.macro(name)
	w.parameter("language", language)
	w.parameter("title", words["title"])
	if name == "code" {
		w.parameter("linenumbers", words["linenumbers"])
		w.parameter("collapse", words["collapse"])
		w.parameter("firstline", words["firstline"])
		w.parameter("theme", words["theme"])
	}
	w.element("ac:plain-text-body", func() { w.cdata(b.Code) })
	w.endMacro()
}

// cdata writes text as it is.
func (w *writer) cdata(text string) { w.str("<![CDATA[" + InsideCData(text) + "]]>") }

// InsideCData is a text as it stands in a CDATA section. The section's own end mark ends it, so that is spread over two.
func InsideCData(text string) string {
	return strings.ReplaceAll(clean(text), "]]>", "]]]]><![CDATA[>")
}

// settings reads the words behind a fence's language: linenumbers title="a \"b\"".
func settings(info string) map[string]string {
	found := map[string]string{}
	for {
		info = strings.TrimLeft(info, " \t")
		end := strings.IndexAny(info, " \t=")
		switch {
		case info == "":
			return found
		case end < 0:
			found[info] = "true"
			return found
		case info[end] != '=':
			found[info[:end]] = "true"
			info = info[end:]
			continue
		}
		name := info[:end]
		found[name], info = value(info[end+1:])
	}
}

// value reads one value, quoted or not, and answers what is behind it.
func value(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, " ")
		return value, rest
	}
	var out strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return out.String(), text[i+1:]
		case c == '\\' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		case c == '&':
			if decoded, size := storage.Reference(text[i:]); size > 0 {
				out.WriteString(decoded)
				i += size - 1
				continue
			}
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), ""
}

// status writes a lozenge: confluence-status:Green?subtle.
func (w *writer) status(colour, title string) {
	colour, option, _ := strings.Cut(colour, "?")
	w.macro("status")
	w.parameter("title", title)
	if !strings.EqualFold(colour, "grey") {
		w.parameter("colour", colour)
	}
	if option == "subtle" {
		w.parameter("subtle", "true")
	}
	w.endMacro()
}

// frame writes blocks between what two placeholders stand for, or between the placeholders as text.
func (w *writer) frame(b *page.Block) {
	opening := page.Span{Kind: page.Token, Text: b.Name}
	closing := page.Span{Kind: page.Token, Text: page.Closing(b.Name)}
	before, behind, ok := w.halves(opening, closing)
	if !ok {
		w.block(&page.Block{Kind: page.Paragraph, Text: []page.Span{opening}})
		w.blocks(b.Kids)
		w.block(&page.Block{Kind: page.Paragraph, Text: []page.Span{closing}})
		return
	}
	w.str(before)
	if strings.HasSuffix(before, "<ac:plain-text-body>") {
		w.cdata(Plain(b.Kids))
	} else {
		inner := w.inner
		w.inner = 0
		w.blocks(b.Kids)
		w.inner = inner
	}
	w.str(behind)
}

// halves is what two placeholders stand for; it reports false if they are unknown or make nothing well-formed.
func (w *writer) halves(opening, closing page.Span) (before, behind string, ok bool) {
	if w.opt.Original == nil {
		return "", "", false
	}
	before, ok = w.opt.Original("[[" + opening.Text + "]]")
	if !ok {
		return "", "", false
	}
	behind, ok = w.opt.Original("[[" + closing.Text + "]]")
	if !ok || storage.Check(before+behind) != nil {
		return "", "", false
	}
	return before, behind, true
}

// Plain is the text of blocks, for a body that holds no markup.
func Plain(blocks []page.Block) string {
	var out []string
	for i := range blocks {
		if b := &blocks[i]; b.Kind == page.Code {
			out = append(out, b.Code)
		} else if len(b.Text) > 0 {
			out = append(out, plain(b.Text))
		} else {
			out = append(out, Plain(b.Kids))
		}
	}
	return strings.Join(out, "\n")
}

// note writes a footnote: its anchor, its number and its text.
func (w *writer) note(b *page.Block) {
	text := []page.Span{{Kind: page.Anchor, Text: "fn-" + b.Name}, {Text: b.Name, Marks: page.Sup}}
	kids := b.Kids
	if len(kids) > 0 && kids[0].Kind == page.Paragraph {
		text = append(append(text, page.Span{Text: " "}), kids[0].Text...)
		kids = kids[1:]
	}
	w.block(&page.Block{Kind: page.Paragraph, Text: text})
	w.blocks(kids)
}
