package request

import (
	_ "embed"
	"regexp"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// rule says how the answer of an operation is judged.
type rule string

// The rules. Whatever an answer names is checked under each of them.
const (
	// ruleOf is about what the path names, which is checked before: members of
	// the answer that name no place belong to it.
	ruleOf rule = "of"
	// ruleEach is a list of things from anywhere: each must say where it
	// belongs, else nothing is answered.
	ruleEach rule = "each"
	// ruleSpaces is a list of spaces.
	ruleSpaces rule = "spaces"
	// The table has "free" too: people and settings that everybody may see.
)

// operation is one line of the table.
type operation struct {
	rule       rule
	scope      string
	segments   []string // of the path; {page} and such are placeholders
	parameters []string
}

//go:embed operations.txt
var table string

// operations reads the table.
func operations() []operation {
	var all []operation
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] == "#" {
			continue
		}
		all = append(all, operation{rule(fields[0]), strings.ReplaceAll(fields[1], "+", " and "), split(fields[2]), fields[3:]})
	}
	return all
}

func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

var (
	// plainPath admits nothing that anybody on the way could read otherwise: no
	// escapes, no dots between slashes, no backslashes.
	plainPath = regexp.MustCompile(`^(?:/[A-Za-z0-9~_-][A-Za-z0-9~._:-]*)+$`)
	digits    = regexp.MustCompile(`^[0-9]{1,19}$`)
	word      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
	spaceKey  = regexp.MustCompile(`^~?[A-Za-z0-9][A-Za-z0-9._:-]{0,254}$`)
	fileID    = regexp.MustCompile(`^(?:att)?[0-9]{1,19}$`)
)

// fits reports whether a segment may stand for a placeholder.
func fits(placeholder, segment string) bool {
	switch placeholder {
	case "{key}":
		return spaceKey.MatchString(segment)
	case "{word}":
		return word.MatchString(segment)
	case "{attachment}":
		return fileID.MatchString(segment)
	}
	return digits.MatchString(segment)
}

// subject is what the path of an operation names.
type subject struct {
	kind string // the placeholder, such as page; "" for none
	id   string
}

// match finds the operation of a path below /wiki, and what the path names.
func match(path string) (operation, subject, error) {
	refusal := usererr.New(usererr.BadInput, "This path is not one that can be asked",
		"Give the path of a published GET operation of Confluence's REST API, such as /api/v2/pages/123/versions; settings, audit, downloads and rendered text are left out")
	if len(path) > 500 || !plainPath.MatchString(path) || strings.Contains(path, "..") {
		return operation{}, subject{}, refusal
	}
	given := split(path)
	for _, op := range operations() {
		if about, ok := op.matches(given); ok {
			return op, about, nil
		}
	}
	return operation{}, subject{}, refusal
}

func (o operation) matches(given []string) (subject, bool) {
	if len(given) != len(o.segments) {
		return subject{}, false
	}
	about := subject{}
	for i, segment := range o.segments {
		name, placeholder := strings.CutPrefix(segment, "{")
		switch {
		case !placeholder && segment != given[i], placeholder && !fits(segment, given[i]):
			return subject{}, false
		case placeholder && about.kind == "":
			// The first is the subject; others are numbers below it.
			about = subject{strings.TrimSuffix(name, "}"), given[i]}
		}
	}
	if o.rule != ruleOf {
		about = subject{}
	}
	return about, true
}

func (o operation) takes(parameter string) bool { return slices.Contains(o.parameters, parameter) }
