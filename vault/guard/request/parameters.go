package request

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Limits of parameters.
const (
	maxValue  = 4000 // bytes of one value
	maxValues = 100  // of one parameter
	maxLimit  = 100
	usual     = 25 // limit of lists unless asked otherwise
)

func bad(message, hint string) error { return usererr.New(usererr.BadInput, message, hint) }

// query reads the parameters of a call: texts, numbers, switches and lists of
// them.
func (o operation) query(given map[string]any) (url.Values, error) {
	query := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name == "cursor" || name == "start" {
			return nil, bad("The parameter \""+name+"\" is not given by hand", "Use the argument cursor with next_cursor of the answer before")
		}
		if !o.takes(name) {
			hint := "It takes no parameters"
			if len(o.parameters) > 0 {
				hint = "It takes: " + strings.Join(o.parameters, ", ")
			}
			return nil, bad(fmt.Sprintf("This path does not take the parameter %q", plaintext.Line(name, 40)), hint)
		}
		values, err := texts(name, given[name])
		if err != nil {
			return nil, err
		}
		if len(values) > 1 && (name == "cql" || name == "spaceKey" || name == "limit") {
			return nil, bad(fmt.Sprintf("The parameter %q takes one value", name), "")
		}
		if err := admitted(name, values); err != nil {
			return nil, err
		}
		query[name] = values
	}
	if o.takes("limit") {
		limit := query.Get("limit")
		if limit == "" {
			limit = strconv.Itoa(usual)
		}
		if n, err := strconv.Atoi(limit); err != nil || n < 1 || n > maxLimit {
			return nil, bad(`The parameter "limit" must be from 1 to 100`, "")
		}
		query.Set("limit", limit)
	}
	return query, nil
}

func texts(name string, value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	wrong := bad(fmt.Sprintf("The parameter %q must be a text, a number, true or false, or a list of these", name), "")
	if len(list) == 0 || len(list) > maxValues {
		return nil, wrong
	}
	var all []string
	for _, item := range list {
		text := ""
		switch v := item.(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case float64:
			text = strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			text = strconv.FormatBool(v)
		default:
			return nil, wrong
		}
		if len(text) > maxValue || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, bad(fmt.Sprintf("The parameter %q is too long or has control characters", name), "")
		}
		all = append(all, text)
	}
	return all, nil
}

// admitted refuses values that would bring in what cannot be judged: text
// rendered by Confluence has parts of other pages in it, of any space.
func admitted(name string, values []string) error {
	var known []string
	switch name {
	case "body-format":
		known = []string{"storage", "atlas_doc_format", "raw"}
	case "description-format":
		known = []string{"plain"}
	case "expand":
		known = []string{
			"ancestors", "body", "body.atlas_doc_format", "body.storage", "container", "content.ancestors", "content.body.atlas_doc_format",
			"content.body.storage", "content.container", "content.history", "content.metadata.labels", "content.space", "content.version",
			"group", "history", "history.lastUpdated", "metadata.labels", "read.restrictions.group", "read.restrictions.user",
			"restrictions.group", "restrictions.user", "space", "update.restrictions.group", "update.restrictions.user", "user", "version",
		}
	default:
		return nil
	}
	for _, value := range values {
		for _, part := range strings.Split(value, ",") {
			if !slices.Contains(known, strings.TrimSpace(part)) {
				return bad(fmt.Sprintf("The parameter %q has a value that cannot be asked", name), "It may be: "+strings.Join(known, ", "))
			}
		}
	}
	return nil
}
