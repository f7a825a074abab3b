package files

import (
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how long a name may be, in bytes: less than any file system takes,
// so that a part of it fits beside.
const maxName = 200

// reserved are names of devices on Windows, with any ending.
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)`)

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
	if strings.ContainsRune(".-~", rune(name[0])) || reserved.MatchString(name) {
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
