package writing

import (
	"fmt"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/emoji"
)

// emoji writes a short name: as the emoji of the page that has it, as one that everybody knows, or as the text it is.
func (w *writer) emoji(name string) {
	if w.opt.Original != nil {
		if text, ok := w.opt.Original(name); ok && wellFormed(text) {
			w.str(text)
			return
		}
	}
	bare := strings.Trim(name, ":")
	character := emoji.Character(bare)
	if character == "" {
		w.text(name)
		return
	}
	var id []string
	for _, r := range character {
		if r != 0xfe0f {
			id = append(id, fmt.Sprintf("%x", r))
		}
	}
	w.str(`<ac:emoticon ac:name="blue-star" ac:emoji-shortname="` + name + `" ac:emoji-id="` + strings.Join(id, "-") + `" ac:emoji-fallback="` + character + `" />`)
}
