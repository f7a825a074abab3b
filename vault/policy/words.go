package policy

import "strings"

// Terms makes the right side of a ~ out of what a person typed, to be quoted.
// Characters that mean something to the search syntax are taken out, except
// quotes around a phrase and * at the end of a word. It returns "" when nothing
// is left to look for.
func Terms(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r == 0x7f, strings.ContainsRune(`()[]{}^~!?:\/|`, r):
			return ' '
		case strings.ContainsRune("“”„«»", r):
			return '"'
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	if strings.Count(text, `"`)%2 != 0 {
		text = strings.ReplaceAll(text, `"`, " ")
	}
	words := strings.Fields(text)
	kept := words[:0]
	for _, word := range words {
		// A leading * is an expensive search that Confluence refuses; + and -
		// in front would be operators.
		if word = strings.TrimLeft(word, "*+-&"); word != "" {
			kept = append(kept, word)
		}
	}
	if strings.Trim(strings.Join(kept, ""), `"`) == "" {
		return ""
	}
	return strings.Join(kept, " ")
}
