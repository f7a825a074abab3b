package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
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

// arguments reads the arguments of one tool.
type arguments struct {
	of     reflect.Type
	fields []argument
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
	var names []string
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
		names = append(names, name)
	}
	a.known = "It takes: " + strings.Join(names, ", ")
	if len(names) == 0 {
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
	in := reflect.New(a.of).Elem()
	for _, field := range a.fields {
		value, given := members[field.name]
		delete(members, field.name)
		if !given || bytes.Equal(value, []byte("null")) {
			if field.required {
				return nil, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q is missing", field.name), a.known)
			}
			continue
		}
		target := in.Field(field.index)
		if err := json.Unmarshal(value, target.Addr().Interface()); err != nil {
			return nil, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be %s", field.name, field.want), a.known)
		}
		if target.Kind() == reflect.String && (strings.ContainsRune(target.String(), 0) || field.required && strings.TrimSpace(target.String()) == "") {
			return nil, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q is empty or has characters that cannot be stored", field.name), "")
		}
	}
	if len(members) > 0 {
		return nil, usererr.New(usererr.BadInput, unknown(members), a.known)
	}
	return in.Interface(), nil
}

func unknown(members map[string]json.RawMessage) string {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, fmt.Sprintf("%q", clip(name, 40)))
	}
	slices.Sort(names)
	if len(names) > 5 {
		names = append(names[:5], "…")
	}
	if len(names) == 1 {
		return "There is no argument " + names[0]
	}
	return "There are no arguments " + strings.Join(names, ", ")
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
