package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// ref is an argument that models send as a number or as a text.
type ref string

// UnmarshalJSON reads a text or a whole number.
func (r *ref) UnmarshalJSON(data []byte) error {
	var number json.Number
	if data[0] != '"' && json.Unmarshal(data, &number) == nil {
		if strings.Trim(string(number), "0123456789") != "" {
			return errors.New("not a whole number")
		}
		*r = ref(number)
		return nil
	}
	return json.Unmarshal(data, (*string)(r))
}

func asDetailed(err error) (*detailed, bool) {
	var d *detailed
	ok := errors.As(err, &d)
	return d, ok
}

// number reads a whole number; models send 10 as "10" and as 10.0 as well.
func number(data []byte) (int, bool) {
	n, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1e9 {
		return 0, false
	}
	return int(n), true
}

// arguments reads the arguments of one tool.
type arguments struct {
	of     reflect.Type
	fields []argument
	names  []string
	known  string // names for people
}

type argument struct {
	name     string
	index    int
	required bool
	want     string // such as "a whole number"
}

// argumentsOf reads the fields of In and their json tags.
func argumentsOf[In any]() arguments {
	a := arguments{of: reflect.TypeFor[In]()}
	for i := range a.of.NumField() {
		field := a.of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		want := "a text"
		switch {
		case field.Type.Kind() == reflect.Int:
			want = "a whole number"
		case field.Type == reflect.TypeFor[ref]():
			want = "a text or a whole number"
		}
		a.fields = append(a.fields, argument{name, i, !strings.Contains(options, "omit"), want})
		a.names = append(a.names, name)
	}
	a.known = "It takes: " + strings.Join(a.names, ", ")
	if len(a.names) == 0 {
		a.known = "It takes no arguments"
	}
	return a
}

// read returns a value of In. Its errors name what is wrong but never repeat
// a value.
func (a arguments) read(raw json.RawMessage) (any, error) {
	members := map[string]json.RawMessage{}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && !bytes.Equal(trimmed, []byte("null")) {
		if err := json.Unmarshal(trimmed, &members); err != nil {
			return nil, usererr.New(usererr.BadInput, "The arguments are not a JSON object", a.known)
		}
	}
	// What is not known comes first: it may be what is missing, misspelt.
	if err := a.unknown(members); err != nil {
		return nil, err
	}
	in := reflect.New(a.of).Elem()
	for _, field := range a.fields {
		value, given := members[field.name]
		if !given || bytes.Equal(value, []byte("null")) {
			if field.required {
				return nil, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q is missing", field.name), a.known)
			}
			continue
		}
		if err := field.set(in.Field(field.index), value); err != nil {
			return nil, err
		}
	}
	return in.Interface(), nil
}

func (f argument) set(target reflect.Value, value json.RawMessage) error {
	wrong := usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be %s", f.name, f.want), "")
	if target.Kind() == reflect.Int {
		n, ok := number(value)
		if !ok {
			return wrong
		}
		target.SetInt(int64(n))
		return nil
	}
	if err := json.Unmarshal(value, target.Addr().Interface()); err != nil {
		return wrong
	}
	if text := target.String(); strings.ContainsRune(text, 0) || f.required && strings.TrimSpace(text) == "" {
		return usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q is empty or has characters that cannot be stored", f.name), "")
	}
	return nil
}

// unknown refuses members that are no arguments, by name, and says which name
// was perhaps meant.
func (a arguments) unknown(members map[string]json.RawMessage) error {
	var names []string
	meant := ""
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(a.names, name) {
			continue
		}
		names = append(names, fmt.Sprintf("%q", clip(name, 40)))
		if meant == "" {
			meant = a.near(name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if len(names) > 5 {
		names = append(names[:5], "…")
	}
	text := "There is no argument " + names[0]
	if len(names) > 1 {
		text = "There are no arguments " + strings.Join(names, ", ")
	}
	hint := a.known
	if meant != "" {
		hint = fmt.Sprintf("Did you mean %q? ", meant) + hint
	}
	return usererr.New(usererr.BadInput, text, hint)
}

// near finds the argument whose name is most like name, if any is.
func (a arguments) near(name string) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	name = plain(name)
	if len(name) > 40 {
		return ""
	}
	best, least := "", 3 // a distance from which it is another word
	for _, known := range a.names {
		is := plain(known)
		away := distance(name, is)
		if strings.HasPrefix(name, is) || len(name) >= 3 && strings.Contains(is, name) {
			away = min(away, 1) // pageId for page, version for expected_version
		}
		if away < least && away < len(is) {
			best, least = known, away
		}
	}
	return best
}

// distance is how many letters must be changed, added or taken out to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// clip shortens text to n characters.
func clip(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n]) + "…"
}

// within checks a number that may be left out.
func within(name string, value, standard, least, most int) (int, error) {
	if value == 0 {
		return standard, nil
	}
	if value < least || value > most {
		return 0, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be from %d to %d", name, least, most), "")
	}
	return value, nil
}

// oneLine checks a title or message.
func oneLine(name, text string, most int) error {
	if utf8.RuneCountInString(text) > most || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be one line of at most %d characters", name, most), "")
	}
	return nil
}
