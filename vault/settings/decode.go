package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/coatcheck-mcp/coatcheck/internal/typo"
)

var durationType = reflect.TypeFor[time.Duration]()

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// node reads a part of the file into v.
func (r *reader) node(v reflect.Value, n *yaml.Node, key string) {
	if n.Kind == yaml.AliasNode {
		r.wrong(n.Line, "%s: anchors and aliases are not supported; write the value out", key)
		return
	}
	if n.Tag == "!!null" {
		return
	}
	switch v.Kind() {
	case reflect.Struct, reflect.Map:
		r.mapping(v, n, key)
	default:
		r.leaf(v, n, key)
	}
}

func (r *reader) mapping(v reflect.Value, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n.Line, "%s: must have keys below it", orTop(key))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := join(key, name.Value)
		if seen[name.Value] {
			r.wrong(name.Line, "%s: stands here a second time", at)
			continue
		}
		seen[name.Value] = true
		if v.Kind() == reflect.Map {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			element := reflect.New(v.Type().Elem()).Elem()
			r.node(element, value, at)
			v.SetMapIndex(reflect.ValueOf(name.Value), element)
			r.lines[at] = name.Line
			continue
		}
		field, ok := fieldOf(v, name.Value)
		if !ok {
			r.wrong(name.Line, "%s: there is no such setting%s", at, nearest(name.Value, names(v)))
			continue
		}
		r.lines[at] = name.Line
		r.node(field, value, at)
	}
}

func orTop(key string) string {
	if key == "" {
		return "the file"
	}
	return key
}

func (r *reader) leaf(v reflect.Value, n *yaml.Node, key string) {
	r.lines[key] = n.Line
	r.sources[key] = r.file + ":" + strconv.Itoa(n.Line)
	if v.Kind() == reflect.Slice {
		list := n.Content
		if n.Kind == yaml.ScalarNode {
			list = []*yaml.Node{n}
		} else if n.Kind != yaml.SequenceNode {
			r.wrong(n.Line, "%s: must be a list", key)
			return
		}
		for _, item := range list {
			if item.Kind != yaml.ScalarNode {
				r.wrong(item.Line, "%s: must be a list of plain texts", key)
				return
			}
			v.Set(reflect.Append(v, reflect.ValueOf(item.Value)))
		}
		return
	}
	if n.Kind != yaml.ScalarNode {
		r.wrong(n.Line, "%s: must be one value", key)
		return
	}
	if problem := set(v, n.Value); problem != "" {
		r.wrong(n.Line, "%s: %s", key, problem)
	}
}

// set reads text into a leaf and says what is wrong with it.
func set(v reflect.Value, text string) string {
	switch {
	case v.Type() == durationType:
		d, err := duration(text)
		if err != nil {
			return "must be a time such as 30d, 12h or 90s"
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.Bool:
		switch text {
		case "true", "false":
			v.SetBool(text == "true")
		default:
			return "must be true or false"
		}
	case v.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return "must be a whole number"
		}
		v.SetInt(int64(n))
	case v.Kind() == reflect.Slice:
		var list []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		v.Set(reflect.ValueOf(list))
	default:
		v.SetString(text)
	}
	return ""
}

// duration is time.ParseDuration with days.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("not a number of days")
		}
		return time.Duration(n) * day, nil
	}
	return time.ParseDuration(text)
}

// leaves calls each for every value below v, in the order of the settings.
func leaves(v reflect.Value, key string, each func(leaf reflect.Value, key string)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name, ok := tag(v.Type().Field(i)); ok {
				leaves(v.Field(i), join(key, name), each)
			}
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(k))
			leaves(element, join(key, k.String()), each)
			v.SetMapIndex(k, element)
		}
	default:
		each(v, key)
	}
}

func tag(f reflect.StructField) (string, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name, name != "" && name != "-"
}

func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if tagged, ok := tag(v.Type().Field(i)); ok && tagged == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func names(v reflect.Value) []string {
	var list []string
	for i := range v.NumField() {
		if name, ok := tag(v.Type().Field(i)); ok {
			list = append(list, name)
		}
	}
	return list
}

// nearest suggests what a wrong name may have meant.
func nearest(name string, candidates []string) string {
	fold := func(s string) string { return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s)) }
	for _, c := range candidates {
		if fold(c) == fold(name) || typo.Distance(c, name) <= 2 {
			return "; did you mean " + c + "?"
		}
	}
	return "; there are " + strings.Join(candidates, ", ")
}
