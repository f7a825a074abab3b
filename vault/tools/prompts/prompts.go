// Package prompts has the jobs that people start by name. A prompt is a text
// for the model, which then calls tools: it touches nothing of Confluence
// itself.
package prompts

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Limits of what a person fills in.
const (
	maxLine  = 300     // characters of a field on one line
	maxNotes = 100_000 // … of notes
)

// field is an argument of a prompt.
type field struct {
	name, description string
	required          bool
	long              bool // may have several lines
	days              bool // is a number of days
}

// prompt is one job. Its text is a template of the fields, of which those that
// are empty are "".
type prompt struct {
	name, title, description string
	fields                   []field
	text                     *template.Template
}

// site is a field of every prompt.
func site() field { return field{name: "site", description: "Site name, if you have several"} }

// Add adds the prompts.
func Add(s *mcp.Server) {
	for _, p := range all() {
		p.text = parse(p.name)
		described := &mcp.Prompt{Name: p.name, Title: p.title, Description: p.description}
		for _, f := range p.fields {
			described.Arguments = append(described.Arguments, &mcp.PromptArgument{Name: f.name, Description: f.description, Required: f.required})
		}
		s.AddPrompt(described, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			text, err := p.fill(req.Params.Arguments)
			if err != nil {
				return nil, err
			}
			return &mcp.GetPromptResult{
				Description: p.description,
				Messages:    []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}},
			}, nil
		})
	}
}

// fill puts what the person filled in into the text.
func (p prompt) fill(given map[string]string) (string, error) {
	values := map[string]string{}
	known := make([]string, len(p.fields))
	for i, f := range p.fields {
		known[i] = f.name
		value, err := f.read(given[f.name])
		if err != nil {
			return "", err
		}
		values[f.name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			return "", usererr.New(usererr.BadInput, "The prompt has no field "+plaintext.Line(name, 80), "Its fields: "+strings.Join(known, ", "))
		}
	}
	var b strings.Builder
	if err := p.text.Execute(&b, values); err != nil {
		return "", fmt.Errorf("prompt %s: %w", p.name, err)
	}
	return b.String(), nil
}

var days = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)

func (f field) read(value string) (string, error) {
	limit := maxLine
	if f.long {
		limit = maxNotes
	}
	switch value = strings.TrimSpace(strings.ToValidUTF8(value, "")); {
	case value == "" && f.required:
		return "", usererr.New(usererr.BadInput, "The field "+f.name+" is empty", f.description)
	case utf8.RuneCountInString(value) > limit:
		return "", usererr.New(usererr.BadInput, fmt.Sprintf("The field %s is longer than %d characters", f.name, limit), "Shorten it")
	case f.days && value != "" && !days.MatchString(value):
		return "", usererr.New(usererr.BadInput, "The field "+f.name+" is not a number of days", "Give 1 to 999")
	case f.long:
		return value, nil
	}
	return plaintext.Line(value, limit), nil
}
