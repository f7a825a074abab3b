package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/emoji"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// emoticon adds ac:emoticon: its character, or its short name.
func (b *builder) emoticon(n *storage.Node, c setting) {
	name, fallback := n.Attr("ac:name"), n.Attr("ac:emoji-fallback")
	if fallback != "" && !strings.HasPrefix(fallback, ":") {
		b.words(fallback, c)
		return
	}
	if known := emoji.Emoticon(name); known != "" {
		b.words(known, c)
		return
	}
	for _, text := range []string{n.Attr("ac:emoji-shortname"), fallback, ":" + name + ":"} {
		if page.ValidEmoji(text) && c.link == nil && !c.code {
			if b.r.emoji == nil {
				b.r.emoji = map[string]string{}
			}
			b.r.emoji[text] = n.Raw()
			b.span(page.Span{Kind: page.Emoji, Marks: c.marks, Text: text})
			return
		}
		if text != "" && text != "::" {
			b.words(text, c)
			return
		}
	}
}
