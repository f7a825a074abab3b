// Package emoji knows the characters of emoji that people and Confluence call by name.
package emoji

// Emoticon is the character for one of Confluence's own names.
func Emoticon(name string) string {
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

// Character is the character of a short name as chat programs and GitHub know it, or "".
func Character(name string) string {
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
