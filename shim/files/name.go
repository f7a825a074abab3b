package files

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how long a name may be, in bytes: less than any file system takes,
// so that a part of it fits beside.
const maxName = 200

// reserved reports whether a name means a device on Windows, with any ending.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	switch stem = strings.ToLower(strings.TrimRightFunc(stem, unicode.IsSpace)); stem {
	case "con", "prn", "aux", "nul", "clock$", "conin$", "conout$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "com")
	if !ok {
		port, ok = strings.CutPrefix(stem, "lpt")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// SafeName makes a name that means one plain, visible file on every system out
// of one that anybody chose.
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r): // such as those that turn the direction of writing
			return -1
		case unicode.IsControl(r), unicode.Is(unicode.Co, r), strings.ContainsRune(`<>:"|?*`, r), r == '\u2028', r == '\u2029':
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if name == "" {
		return "file"
	}
	if strings.ContainsRune(".-~", rune(name[0])) || reserved(name) {
		name = "_" + name
	}
	return shorten(name)
}

// shorten cuts a long name and keeps its ending.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ending := path.Ext(name)
	if len(ending) > 20 {
		ending = ""
	}
	stem := name[:maxName-len(ending)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return strings.TrimRight(stem, ". ") + ending
}
