package reading

import (
	"strings"

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
	if known := emoticon(name); known != "" {
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

// emoticon is the character for one of Confluence's own names.
func emoticon(name string) string {
	switch name {
	case "smile":
		return "🙂"
	case "sad":
		return "🙁"
	case "cheeky":
		return "😛"
	case "laugh":
		return "😀"
	case "wink":
		return "😉"
	case "thumbs-up":
		return "👍"
	case "thumbs-down":
		return "👎"
	case "information":
		return "ℹ️"
	case "tick":
		return "✅"
	case "cross":
		return "❌"
	case "warning":
		return "⚠️"
	case "plus":
		return "➕"
	case "minus":
		return "➖"
	case "question":
		return "❓"
	case "light-on":
		return "💡"
	case "yellow-star", "star":
		return "⭐"
	case "heart":
		return "❤️"
	case "broken-heart":
		return "💔"
	}
	return ""
}
