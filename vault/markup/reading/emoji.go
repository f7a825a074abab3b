package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// emoji is the character of ac:emoticon, or its short name.
func emoji(n *storage.Node) string {
	fallback := n.Attr("ac:emoji-fallback")
	if fallback != "" && !strings.HasPrefix(fallback, ":") {
		return fallback
	}
	name := n.Attr("ac:name")
	if known := emoticon(name); known != "" {
		return known
	}
	for _, text := range []string{n.Attr("ac:emoji-shortname"), fallback} {
		if text != "" {
			return text
		}
	}
	if name == "" {
		return ""
	}
	return ":" + name + ":"
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
