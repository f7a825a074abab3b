package openapi

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// checker compares a value with a schema of OpenAPI 3.0, as far as Atlassian's
// descriptions use it.
type checker struct {
	document document
	// strict refuses members that are not described, and null.
	strict   bool
	problems []error
}

// maxDepth ends descriptions that contain themselves.
const maxDepth = 64

func (c *checker) wrong(at, format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
}

// check adds what is wrong with v, found at a place such as body.version.
func (c *checker) check(s any, v any, at string) {
	schema, _ := c.document.resolve(s).(object)
	if schema == nil || strings.Count(at, ".") > maxDepth {
		return
	}
	if v == nil {
		if schema["nullable"] != true && (c.strict || at == "answer") {
			c.wrong(at, "is null")
		}
		return
	}
	if all, ok := schema["allOf"].([]any); ok {
		c.checkObject(c.merged(all), v, at)
		return
	}
	for _, word := range []string{"oneOf", "anyOf"} {
		if some, ok := schema[word].([]any); ok && !c.any(some, v, at) {
			c.wrong(at, "fits none of the %d descriptions", len(some))
		}
	}
	if values, ok := schema["enum"].([]any); ok && !slices.Contains(values, v) {
		c.wrong(at, "is %v, which is none of %v", v, values)
	}
	c.checkType(schema, v, at)
}

func (c *checker) checkType(schema object, v any, at string) {
	kind := text(schema["type"])
	switch v := v.(type) {
	case string:
		if kind != "" && kind != "string" {
			c.wrong(at, "is a string, not %s", kind)
		} else if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				c.wrong(at, "is no date and time")
			}
		}
	case bool:
		if kind != "" && kind != "boolean" {
			c.wrong(at, "is a boolean, not %s", kind)
		}
	case float64:
		c.checkNumber(schema, kind, v, at)
	case []any:
		if kind != "" && kind != "array" {
			c.wrong(at, "is an array, not %s", kind)
		}
		if limit, ok := schema["maxItems"].(float64); ok && len(v) > int(limit) {
			c.wrong(at, "has %d elements, more than %v", len(v), limit)
		}
		for i, element := range v {
			c.check(schema["items"], element, fmt.Sprintf("%s.%d", at, i))
		}
	case object:
		if kind != "" && kind != "object" {
			c.wrong(at, "is an object, not %s", kind)
			return
		}
		c.checkObject(schema, v, at)
	}
}

func (c *checker) checkNumber(schema object, kind string, v float64, at string) {
	switch {
	case kind != "" && kind != "integer" && kind != "number":
		c.wrong(at, "is a number, not %s", kind)
		return
	case kind == "integer" && v != math.Trunc(v):
		c.wrong(at, "is not a whole number")
	}
	if least, ok := schema["minimum"].(float64); ok && v < least {
		c.wrong(at, "is below %v", least)
	}
	if most, ok := schema["maximum"].(float64); ok && v > most {
		c.wrong(at, "is above %v", most)
	}
}

func (c *checker) checkObject(schema object, v any, at string) {
	members, ok := v.(object)
	if !ok {
		c.wrong(at, "is not an object")
		return
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := members[text(name)]; !ok {
			c.wrong(at, "lacks %s", name)
		}
	}
	properties, _ := schema["properties"].(object)
	for name, value := range members {
		described, ok := properties[name]
		extra, isSchema := schema["additionalProperties"].(object)
		switch {
		case ok:
			c.check(described, value, at+"."+name)
		case isSchema:
			c.check(extra, value, at+"."+name)
		case c.strict && schema["additionalProperties"] != true && properties != nil:
			c.wrong(at, "has %s, which is not described", name)
		}
	}
}

// merged is what all of some object schemas ask for.
func (c *checker) merged(all []any) object {
	properties, required := object{}, []any{}
	for _, s := range all {
		s, _ := c.document.resolve(s).(object)
		if inner, ok := s["allOf"].([]any); ok {
			s = c.merged(inner)
		}
		more, _ := s["properties"].(object)
		for name, p := range more {
			if before, ok := properties[name]; ok {
				p = object{"allOf": []any{before, p}}
			}
			properties[name] = p
		}
		list, _ := s["required"].([]any)
		required = append(required, list...)
	}
	return object{"properties": properties, "required": required}
}

// any reports whether v fits one of the schemas. Descriptions say oneOf where
// several fit, so more than one is fine.
func (c *checker) any(some []any, v any, at string) bool {
	return slices.ContainsFunc(some, func(s any) bool {
		alone := checker{document: c.document, strict: c.strict}
		alone.check(s, v, at)
		return len(alone.problems) == 0
	})
}
