// Package openapi checks HTTP exchanges against Atlassian's published OpenAPI
// descriptions of Confluence Cloud: path, method, parameters and body of the
// request, status and body of the answer.
//
// It is as strict as the descriptions allow with requests, which are ours, and
// lenient with answers where the real Confluence is known to differ: members
// that are not described, null for members that are not required, and the
// statuses that gateway and edge send for every operation.
package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknown says that no operation is described for a method and path.
var ErrUnknown = errors.New("openapi: no such operation is described")

// Spec is a description, or several. It may be used from several goroutines.
type Spec struct {
	operations []operation
	// Strict refuses members of answers that are not described, null, and
	// statuses that are not: for a description of our own.
	Strict bool
}

// operation is a method of a path.
type operation struct {
	document   document
	method     string
	template   string
	path       *regexp.Regexp
	names      []string // of the parameters in the path
	parameters []parameter
	body       object // schema of the request's body; nil if there is none
	bodyNeeded bool
	answers    map[string]object // status to schema, nil if none is given
	scopes     []string
}

type parameter struct {
	name, in string
	required bool
	schema   object
}

// object is a JSON object of a description.
type object = map[string]any

// document is a whole description, in which references are found.
type document object

// files names the descriptions and the path under which their operations are.
func files() map[string]string {
	return map[string]string{"confluence-v1.json": "", "confluence-v2.json": "/wiki/api/v2"}
}

// Parse reads one description, whose operations are under the path base.
func Parse(data []byte, base string) (*Spec, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	s := &Spec{}
	s.add(d, base)
	return s, nil
}

// Operations lists all operations, each as method and path.
func (s *Spec) Operations() []string {
	var all []string
	for _, o := range s.operations {
		all = append(all, o.method+" "+o.template)
	}
	slices.Sort(all)
	return all
}

// Load reads confluence-v1.json and confluence-v2.json from dir.
func Load(dir string) (*Spec, error) {
	s := &Spec{}
	for name, base := range files() {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		var d document
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", name, err)
		}
		s.add(d, base)
	}
	return s, nil
}

func (s *Spec) add(d document, base string) {
	paths, _ := d["paths"].(object)
	for template, item := range paths {
		item, _ := item.(object)
		for method, op := range item {
			op, ok := op.(object)
			if !ok || method == "parameters" || method == "servers" {
				continue
			}
			s.operations = append(s.operations, d.operation(strings.ToUpper(method), base+template, op, item))
		}
	}
}

var inBraces = regexp.MustCompile(`\\\{([^}]+)\\\}`)

func (d document) operation(method, template string, op, item object) operation {
	quoted := regexp.QuoteMeta(template)
	o := operation{document: d, method: method, template: template, answers: map[string]object{}}
	for _, m := range inBraces.FindAllStringSubmatch(quoted, -1) {
		o.names = append(o.names, strings.ReplaceAll(m[1], `\`, ""))
	}
	o.path = regexp.MustCompile("^" + inBraces.ReplaceAllString(quoted, `([^/]+)`) + "$")
	for _, of := range []object{item, op} {
		list, _ := of["parameters"].([]any)
		for _, p := range list {
			p, _ := d.resolve(p).(object)
			schema, _ := d.resolve(p["schema"]).(object)
			o.parameters = append(o.parameters, parameter{text(p["name"]), text(p["in"]), p["required"] == true, schema})
		}
	}
	if body, ok := d.resolve(op["requestBody"]).(object); ok {
		o.body, o.bodyNeeded = d.content(body), body["required"] == true
	}
	responses, _ := op["responses"].(object)
	for status, r := range responses {
		r, _ := d.resolve(r).(object)
		o.answers[status] = d.content(r)
	}
	families, _ := op["x-atlassian-oauth2-scopes"].([]any)
	for _, family := range families {
		family, _ := family.(object)
		scopes, _ := family["scopes"].([]any)
		for _, scope := range scopes {
			o.scopes = append(o.scopes, text(scope))
		}
	}
	return o
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// content is the JSON schema of a body, nil if there is none.
func (d document) content(body object) object {
	kinds, _ := body["content"].(object)
	kind, ok := kinds["application/json"].(object)
	if !ok {
		kind, _ = kinds["application/problem+json"].(object)
	}
	schema, _ := d.resolve(kind["schema"]).(object)
	return schema
}

// resolve follows references inside of the document.
func (d document) resolve(v any) any {
	for range 32 {
		o, ok := v.(object)
		if !ok {
			return v
		}
		ref, ok := o["$ref"].(string)
		if !ok {
			return v
		}
		v = object(d)
		for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			at, _ := v.(object)
			v = at[name]
		}
	}
	return nil
}

// find is the operation of a request. Fixed paths win over templates.
func (s *Spec) find(method, path string) (operation, bool) {
	best, found := operation{}, false
	for _, o := range s.operations {
		if o.method == method && o.path.MatchString(path) && (!found || len(o.names) < len(best.names)) {
			best, found = o, true
		}
	}
	return best, found
}

var gateway = regexp.MustCompile(`^/ex/confluence/[^/]+`)

// below takes the gateway's prefix from a path.
func below(u *url.URL) string { return gateway.ReplaceAllString(u.Path, "") }

// Scopes lists the scopes of which a token needs one for an operation. The
// error is [ErrUnknown] if there is no such operation.
func (s *Spec) Scopes(method, path string) ([]string, error) {
	o, ok := s.find(method, gateway.ReplaceAllString(path, ""))
	if !ok {
		return nil, fmt.Errorf("%w: %s %s", ErrUnknown, method, path)
	}
	return o.scopes, nil
}

// CheckExchange lists what in an exchange is not as described. The request's
// body has been read already.
func (s *Spec) CheckExchange(r *http.Request, body []byte, status int, answer []byte) []error {
	o, ok := s.find(r.Method, below(r.URL))
	if !ok {
		return []error{fmt.Errorf("%w: %s %s", ErrUnknown, r.Method, below(r.URL))}
	}
	problems := o.checkRequest(r, body)
	problems = append(problems, o.checkAnswer(status, answer, s.Strict)...)
	for i, p := range problems {
		problems[i] = fmt.Errorf("%s %s: %w", o.method, o.template, p)
	}
	return problems
}

func (o operation) checkRequest(r *http.Request, body []byte) []error {
	var problems []error
	values := r.URL.Query()
	for name, value := range o.pathValues(below(r.URL)) {
		problems = append(problems, o.checkParameter("path", name, []string{value})...)
	}
	for name, value := range values {
		problems = append(problems, o.checkParameter("query", name, value)...)
	}
	for _, p := range o.parameters {
		if p.required && p.in == "query" && !values.Has(p.name) {
			problems = append(problems, fmt.Errorf("the parameter %s is missing", p.name))
		}
	}
	switch {
	case len(body) == 0 && o.bodyNeeded:
		problems = append(problems, errors.New("the request needs a body"))
	case len(body) > 0 && o.body == nil:
		problems = append(problems, errors.New("the request has a body, but none is described"))
	case len(body) > 0:
		problems = append(problems, o.checkBody(body, true)...)
	}
	return problems
}

func (o operation) pathValues(path string) map[string]string {
	found := o.path.FindStringSubmatch(path)
	values := map[string]string{}
	for i, name := range o.names {
		values[name] = found[i+1]
	}
	return values
}

func (o operation) checkParameter(in, name string, values []string) []error {
	i := slices.IndexFunc(o.parameters, func(p parameter) bool { return p.in == in && p.name == name })
	if i < 0 {
		return []error{fmt.Errorf("the parameter %s is not described", name)}
	}
	c := checker{document: o.document, strict: true}
	schema := o.parameters[i].schema
	if schema["type"] == "array" {
		// Lists are repeated, or have commas, or both.
		values = strings.Split(strings.Join(values, ","), ",")
		schema, _ = o.document.resolve(schema["items"]).(object)
	} else if len(values) > 1 {
		return []error{fmt.Errorf("the parameter %s has %d values", name, len(values))}
	}
	for _, value := range values {
		c.check(schema, o.typed(schema, value), name)
	}
	return c.problems
}

// typed reads a parameter as its schema wants it; as text if it cannot be
// read, which the check then finds.
func (o operation) typed(schema object, value string) any {
	switch schema["type"] {
	case "integer", "number":
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			return n
		}
	case "boolean":
		if b, err := strconv.ParseBool(value); err == nil {
			return b
		}
	}
	return value
}

func (o operation) checkBody(data []byte, strict bool) []error {
	schema := o.body
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return []error{errors.New("the request's body is not JSON")}
	}
	c := checker{document: o.document, strict: strict}
	c.check(schema, v, "body")
	return c.problems
}

// everywhere lists the statuses that gateway, edge and Confluence were seen to
// send although the descriptions of single operations leave them out.
func everywhere(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

func (o operation) checkAnswer(status int, answer []byte, strict bool) []error {
	schema, described := o.answers[strconv.Itoa(status)]
	switch {
	case !described && !strict && everywhere(status):
		return nil
	case !described:
		return []error{fmt.Errorf("the status %d is not described", status)}
	case schema == nil:
		return nil
	}
	var v any
	if err := json.Unmarshal(answer, &v); err != nil {
		return []error{fmt.Errorf("the answer of status %d is not JSON", status)}
	}
	c := checker{document: o.document, strict: strict}
	c.check(schema, v, "answer")
	return c.problems
}
