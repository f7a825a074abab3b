package settings

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Line is one setting that is in force.
type Line struct {
	Key, Value string
	Source     string // "vault.yaml:12", "environment COATCHECK_…" or "default"
}

// Lines lists all settings that are in force, in the order of the reference.
// Secrets are shown as the references that they are.
func (s *Settings) Lines() []Line {
	var lines []Line
	leaves(reflect.ValueOf(s).Elem(), "", func(leaf reflect.Value, key string) {
		source := s.sources[key]
		if source == "" {
			source = "default"
		}
		lines = append(lines, Line{key, show(leaf), source})
	})
	return lines
}

func show(leaf reflect.Value) string {
	switch value := leaf.Interface().(type) {
	case time.Duration:
		if value > 0 && value%day == 0 {
			return fmt.Sprintf("%dd", value/day)
		}
		text := value.String()
		for _, end := range []struct{ long, zero string }{{"m0s", "0s"}, {"h0m", "0m"}} {
			if strings.HasSuffix(text, end.long) {
				text = strings.TrimSuffix(text, end.zero)
			}
		}
		return text
	case bool:
		return strconv.FormatBool(value)
	case int:
		return strconv.Itoa(value)
	case []string:
		return "[" + strings.Join(value, ", ") + "]"
	case Ref:
		if value == "" {
			return ""
		}
		return string(value) + " (set)"
	}
	return leaf.String()
}
