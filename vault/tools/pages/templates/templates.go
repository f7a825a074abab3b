// Package templates has the tool that lists templates of pages.
package templates

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/templates"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/variables"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, templatesTool) }

const getTemplates = "confluence_templates"

// maxShown limits the Markdown of a template.
const maxShown = 20000

type templatesIn struct {
	Space    string        `json:"space,omitempty" jsonschema:"space key; without it the templates for all spaces"`
	Template arguments.Ref `json:"template,omitempty" jsonschema:"id or name of one, to see its text and variables"`
	Site     string        `json:"site,omitempty"`
}

type templateOut struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Space       string   `json:"space,omitempty"`
	Variables   []string `json:"variables,omitempty" jsonschema:"name, or name: choices"`
	Markdown    string   `json:"markdown,omitempty"`
}

type templatesOut struct {
	Notice    string        `json:"notice"`
	Templates []templateOut `json:"templates"`
}

var templatesTool = tool.Spec[templatesIn, templatesOut]{
	Name: getTemplates, Title: "Confluence templates", Toolset: "templates",
	Description: "List templates of pages with their variables, or show one. confluence_create_page uses them.",
	Run:         list,
}

func list(ctx context.Context, t *tool.Set, in templatesIn) (templatesOut, string, error) {
	out, err := guard.Do(ctx, t.Door, guard.Op[templatesOut]{Tool: getTemplates, Site: in.Site, Input: in, Run: in.find})
	return out, text(out), err
}

func (in templatesIn) find(ctx context.Context, w *guard.Wiki) (templatesOut, error) {
	out := templatesOut{Notice: tool.Notice, Templates: []templateOut{}}
	if in.Template != "" {
		found, err := templates.Named(ctx, w, in.Space, string(in.Template))
		if err != nil {
			return out, err
		}
		doc, err := markup.ToMarkdown(found.Body, markup.Options{})
		if err != nil {
			return out, usererr.Wrap(err, usererr.Internal, "The template cannot be converted to Markdown", "Look at it in the browser")
		}
		one := shown(found)
		one.Markdown = tool.Clip(doc.Markdown, maxShown)
		out.Templates = append(out.Templates, one)
		return out, nil
	}
	all, err := templates.List(ctx, w, in.Space)
	for _, found := range all {
		out.Templates = append(out.Templates, shown(found))
	}
	return out, err
}

func shown(t templates.Template) templateOut {
	out := templateOut{ID: t.ID, Name: t.Name, Description: tool.Clip(t.Description, 300), Space: t.Space}
	all, _ := variables.Read(t.Body) // what cannot be read asks for nothing
	for _, v := range all {
		said := v.Name
		if len(v.Options) > 0 {
			said += ": " + strings.Join(v.Options, ", ")
		}
		out.Variables = append(out.Variables, tool.Clip(said, 300))
	}
	return out
}

func text(out templatesOut) string {
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n")
	if len(out.Templates) == 0 {
		b.WriteString("There are no templates.\n")
	}
	for _, t := range out.Templates {
		fmt.Fprintf(&b, "- %s (template %s", t.Name, t.ID)
		if t.Space != "" {
			b.WriteString(" of space " + t.Space)
		}
		b.WriteString(")")
		if t.Description != "" {
			b.WriteString(": " + t.Description)
		}
		b.WriteString("\n")
		for _, v := range t.Variables {
			b.WriteString("  - variable " + v + "\n")
		}
		if t.Markdown != "" {
			b.WriteString("\n" + t.Markdown)
		}
	}
	return b.String()
}
