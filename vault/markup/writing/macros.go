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
	if language == "noformat" {
		name, language = "noformat", ""
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

// cdata writes text as it is. Its own end mark ends a section, so it is spread over two.
func (w *writer) cdata(text string) {
	w.str("<![CDATA[" + strings.ReplaceAll(clean(text), "]]>", "]]]]><![CDATA[>") + "]]>")
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
