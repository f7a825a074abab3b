package writing

import (
	"fmt"
	"strings"
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
	character := characterOf(bare)
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

// characterOf is the character of a short name as chat programs and GitHub know it, or "".
func characterOf(name string) string {
	switch name {
	case "smile", "slight_smile", "slightly_smiling_face":
		return "🙂"
	case "grinning", "laughing":
		return "😀"
	case "joy":
		return "😂"
	case "wink":
		return "😉"
	case "thinking", "thinking_face":
		return "🤔"
	case "cry", "sob":
		return "😢"
	case "heart":
		return "❤️"
	case "thumbsup", "+1":
		return "👍"
	case "thumbsdown", "-1":
		return "👎"
	case "clap":
		return "👏"
	case "pray":
		return "🙏"
	case "wave":
		return "👋"
	case "eyes":
		return "👀"
	case "muscle":
		return "💪"
	case "point_right":
		return "👉"
	}
	return signOf(name)
}

// signOf is the character of a short name that stands for a thing or a sign.
func signOf(name string) string {
	switch name {
	case "check", "tick", "check_mark", "white_check_mark":
		return "✅"
	case "x", "cross", "cross_mark":
		return "❌"
	case "warning":
		return "⚠️"
	case "information_source", "info":
		return "ℹ️"
	case "question":
		return "❓"
	case "exclamation":
		return "❗"
	case "bulb":
		return "💡"
	case "star":
		return "⭐"
	case "fire":
		return "🔥"
	case "rocket":
		return "🚀"
	case "tada":
		return "🎉"
	case "bug":
		return "🐛"
	case "lock":
		return "🔒"
	case "key":
		return "🔑"
	case "memo", "pencil":
		return "📝"
	case "calendar", "date":
		return "📅"
	case "hourglass":
		return "⌛"
	case "rotating_light":
		return "🚨"
	case "construction":
		return "🚧"
	case "link":
		return "🔗"
	case "wrench":
		return "🔧"
	case "package":
		return "📦"
	case "chart_with_upwards_trend":
		return "📈"
	case "chart_with_downwards_trend":
		return "📉"
	case "red_circle":
		return "🔴"
	case "green_circle":
		return "🟢"
	case "yellow_circle":
		return "🟡"
	}
	return ""
}
