// Package arguments reads what a model sends as the arguments of a tool. It
// is lenient where models are careless (a number as a text) and refuses by
// name what it does not know, with what was perhaps meant. Its errors are user
// errors; they repeat names, shortened, and never values.
package arguments

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

	"github.com/coatcheck-mcp/coatcheck/internal/typo"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Ref is an argument that models send as a number or as a text.
type Ref string

// UnmarshalJSON reads a text or a whole number.
func (r *Ref) UnmarshalJSON(data []byte) error {
	var number json.Number
	if data[0] != '"' && json.Unmarshal(data, &number) == nil {
		if strings.Trim(string(number), "0123456789") != "" {
			return errors.New("not a whole number")
		}
		*r = Ref(number)
		return nil
	}
	return json.Unmarshal(data, (*string)(r))
}

// number reads a whole number; models send 10 as "10" and as 10.0 as well.
func number(data []byte) (int, bool) {
	n, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1e9 {
		return 0, false
	}
	return int(n), true
}

// Reader reads the arguments of one tool into an In, a struct whose fields are
// of the types string, int, bool, any, [Ref], and lists of string and Ref. It may be
// used from many goroutines.
type Reader[In any] struct {
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

// Of makes a reader from the fields of In and their json tags. A field without
// omitempty is required.
func Of[In any]() Reader[In] {
	var a Reader[In]
	of := reflect.TypeFor[In]()
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		want := wanted(field.Type)
		a.fields = append(a.fields, argument{name, i, !strings.Contains(options, "omit"), want})
		a.names = append(a.names, name)
	}
	a.known = "It takes: " + strings.Join(a.names, ", ")
	if len(a.names) == 0 {
		a.known = "It takes no arguments"
	}
	return a
}

// wanted says in words what a field of a type takes.
func wanted(of reflect.Type) string {
	switch {
	case of.Kind() == reflect.Int:
		return "a whole number"
	case of.Kind() == reflect.Bool:
		return "true or false"
	case of.Kind() == reflect.Slice:
		return "a list of texts"
	case of.Kind() == reflect.Interface:
		return "a JSON value"
	case of == reflect.TypeFor[Ref]():
		return "a text or a whole number"
	}
	return "a text"
}

// maxList limits the members of a list.
const maxList = 300

// Read reads the JSON object raw; nothing and null are an empty one.
func (a Reader[In]) Read(raw json.RawMessage) (in In, err error) {
	members := map[string]json.RawMessage{}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && !bytes.Equal(trimmed, []byte("null")) {
		if err := json.Unmarshal(trimmed, &members); err != nil {
			return in, usererr.New(usererr.BadInput, "The arguments are not a JSON object", a.known)
		}
	}
	// What is not known comes first: it may be what is missing, misspelt.
	if err := a.unknown(members); err != nil {
		return in, err
	}
	target := reflect.ValueOf(&in).Elem()
	for _, field := range a.fields {
		value, given := members[field.name]
		if !given || bytes.Equal(value, []byte("null")) {
			if field.required {
				return in, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q is missing", field.name), a.known)
			}
			continue
		}
		if err := field.set(target.Field(field.index), value); err != nil {
			return in, err
		}
	}
	return in, nil
}

func (f argument) set(target reflect.Value, value json.RawMessage) error {
	wrong := usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be %s", f.name, f.want), "")
	switch target.Kind() {
	case reflect.Int:
		n, ok := number(value)
		if !ok {
			return wrong
		}
		target.SetInt(int64(n))
		return nil
	case reflect.Bool:
		yes, err := strconv.ParseBool(strings.ToLower(strings.Trim(string(value), `"`))) // models send "true" as well
		if err != nil {
			return wrong
		}
		target.SetBool(yes)
		return nil
	case reflect.Slice:
		return f.list(target, value)
	case reflect.Interface:
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.UseNumber() // a float64 would lose digits of long ones
		if decoder.Decode(target.Addr().Interface()) != nil {
			return wrong
		}
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

// list reads a list of texts; a single one is a list of it.
func (f argument) list(target reflect.Value, value json.RawMessage) error {
	var members []json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		members = []json.RawMessage{value}
	}
	if len(members) > maxList {
		return usererr.New(usererr.TooLarge, fmt.Sprintf("The argument %q may have at most %d members", f.name, maxList), "Split the call")
	}
	all := reflect.MakeSlice(target.Type(), len(members), len(members))
	one := argument{name: f.name, required: true, want: f.want}
	for i, member := range members {
		if bytes.Equal(member, []byte("null")) {
			return usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be %s", f.name, f.want), "")
		}
		if err := one.set(all.Index(i), member); err != nil {
			return err
		}
	}
	target.Set(all)
	return nil
}

// unknown refuses members that are no arguments, by name, and says which name
// was perhaps meant.
func (a Reader[In]) unknown(members map[string]json.RawMessage) error {
	var names []string
	meant := ""
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(a.names, name) {
			continue
		}
		names = append(names, fmt.Sprintf("%q", short(name)))
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

// short shortens a name that a caller made up.
func short(name string) string {
	if utf8.RuneCountInString(name) <= 40 {
		return name
	}
	return string([]rune(name)[:40]) + "…"
}

// near finds the argument whose name is most like name, if any is.
func (a Reader[In]) near(name string) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	name = plain(name)
	if len(name) > 40 {
		return ""
	}
	best, least := "", 3 // a distance from which it is another word
	for _, known := range a.names {
		is := plain(known)
		away := typo.Distance(name, is)
		if strings.HasPrefix(name, is) || len(name) >= 3 && strings.Contains(is, name) {
			away = min(away, 1) // pageId for page, version for expected_version
		}
		if away < least && away < len(is) {
			best, least = known, away
		}
	}
	return best
}

// Within checks a number; 0 stands for one that is left out.
func Within(name string, value, standard, least, most int) (int, error) {
	if value == 0 {
		return standard, nil
	}
	if value < least || value > most {
		return 0, usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be from %d to %d", name, least, most), "")
	}
	return value, nil
}

// OneOf checks a choice; "" stands for one that is left out, which is the first
// of known.
func OneOf(name, value string, known ...string) (string, error) {
	if value == "" {
		return known[0], nil
	}
	value = strings.ToLower(strings.TrimSpace(value))
	if !slices.Contains(known, value) {
		return "", usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be one of: %s", name, strings.Join(known, ", ")), "")
	}
	return value, nil
}

// OneLine checks a title or message.
func OneLine(name, text string, most int) error {
	if utf8.RuneCountInString(text) > most || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q must be one line of at most %d characters", name, most), "")
	}
	return nil
}
