package writing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/section"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/marks"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const editPage = "confluence_edit_page"

type editIn struct {
	Page      arguments.Ref `json:"page" jsonschema:"id or URL"`
	Expected  int           `json:"expected_version" jsonschema:"the one that was read"`
	Operation string        `json:"operation" jsonschema:"replace_section, insert_before, insert_after, append, prepend or replace_text"`
	Section   string        `json:"section,omitempty" jsonschema:"id from the outline, for the first three"`
	Find      string        `json:"find,omitempty" jsonschema:"plain text for replace_text; must stand once"`
	Body      string        `json:"body" jsonschema:"Markdown; for replace_text the new text"`
	Message   string        `json:"message,omitempty" jsonschema:"for the history"`
	Minor     bool          `json:"minor_edit,omitempty" jsonschema:"notify nobody"`
	Lossy     bool          `json:"allow_loss,omitempty" jsonschema:"let go what a refusal named"`
	Dry       bool          `json:"dry_run,omitempty" jsonschema:"only show what would change"`
	Site      string        `json:"site,omitempty"`
}

var editPageTool = tool.Spec[editIn, change.Out]{
	Name: editPage, Title: "Edit a part of a Confluence page",
	Description: "Change a part of a page; every other byte stays. Section ids: confluence_get_page view outline. replace_section keeps the heading unless body begins with one.",
	Write:       true, Destructive: true,
	Run:     edit,
	BulkFor: func(in editIn) bool { return files.Any(in.Body) },
}

func edit(ctx context.Context, t *tool.Set, in editIn) (change.Out, string, error) {
	operation, err := arguments.OneOf("operation", in.Operation, "replace_section", "insert_before", "insert_after", "append", "prepend", "replace_text")
	if err != nil {
		return change.Out{}, "", err
	}
	in.Operation = operation
	switch {
	case operation == "replace_text" && strings.TrimSpace(in.Find) == "":
		return change.Out{}, "", usererr.New(usererr.BadInput, `The argument "find" is missing`, "Give the text that is to be replaced, as it reads")
	case operation != "replace_text" && in.Find != "":
		return change.Out{}, "", usererr.New(usererr.BadInput, `The argument "find" is for replace_text only`, "Leave it out")
	case slices.Contains([]string{"replace_section", "insert_before", "insert_after"}, operation) != (in.Section != ""):
		return change.Out{}, "", usererr.New(usererr.BadInput, "The section is not named, or must not be: "+operation, "Give section for replace_section, insert_before and insert_after only")
	}
	if _, err := change.Storage(in.Body); err != nil { // before anything is begun
		return change.Out{}, "", err
	}
	images := files.Of(t, in.Body)
	return change.Change{
		Images: images,
		Tool:   editPage, Site: in.Site, Page: string(in.Page), Input: in, Expected: in.Expected, Message: in.Message,
		Minor: in.Minor, Lossy: in.Lossy, Dry: in.Dry, Done: "changed",
		Body: func(ctx context.Context, _ *guard.Wiki, before guard.Page) (string, []string, error) {
			body, err := images.Text(ctx)
			if err != nil {
				return "", nil, err
			}
			with := in
			with.Body = body
			return with.edited(before)
		},
	}.Make(ctx, t)
}

// edited makes the edit in the body of a page.
func (in editIn) edited(before guard.Page) (string, []string, error) {
	o, err := section.Read(before.Body)
	if err != nil {
		return "", nil, usererr.Wrap(err, usererr.BadInput, "The page's content cannot be taken apart", "Replace the whole body with confluence_update_page, or edit it in the browser: "+before.URL)
	}
	if in.Operation == "replace_text" {
		return in.replaced(before, o)
	}
	place := section.Section{}
	if in.Section != "" {
		if place, err = Choose(o, in.Section); err != nil {
			return "", nil, err
		}
	}
	known := marks.Of(before.Body)
	if in.Operation == "replace_section" {
		return in.section(before, o, place, known)
	}
	text, err := markup.FromMarkdown(in.Body, markup.Options{Original: known.Original, Beside: before.Body})
	if err != nil {
		return "", nil, change.ErrTooLarge()
	}
	var e section.Edit
	switch in.Operation {
	case "insert_before":
		e = o.Before(place, text)
	case "insert_after":
		e = o.After(place, text)
	case "prepend":
		e = o.Prepend(text)
	default:
		e = o.Append(text)
	}
	return within(section.Apply(before.Body, e), nil)
}

// section replaces a section. What of it stays as it was keeps its bytes.
func (in editIn) section(before guard.Page, o section.Outline, s section.Section, known marks.Marks) (string, []string, error) {
	text, err := markup.FromMarkdown(in.Body, markup.Options{})
	if err != nil {
		return "", nil, change.ErrTooLarge()
	}
	e := o.Replace(s, text)
	old := before.Body[e.Start:e.End]
	after, lost, err := markup.Rewrite(old, marks.Of(old).Rename(in.Body, known), markup.Options{
		Original: known.Original, Beside: before.Body[:e.Start] + before.Body[e.End:],
	})
	if err != nil {
		return "", nil, change.ErrTooLarge()
	}
	e.Text = after
	return within(section.Apply(before.Body, e), lost)
}

// replaced replaces a text that stands once. One that has marks of Markdown in
// it is looked for in the page's Markdown.
func (in editIn) replaced(before guard.Page, o section.Outline) (string, []string, error) {
	switch n := o.Count(in.Find); {
	case n == 1:
		edits, _ := o.ReplaceText(in.Find, in.Body)
		after := section.Apply(before.Body, edits...)
		return within(after, markup.Loss(before.Body, after))
	case n > 1:
		return "", nil, usererr.New(usererr.BadInput, fmt.Sprintf("The text to be replaced stands %d times on the page, so nothing was written", n), "Give more of the text around it, so that it is found once")
	}
	doc, err := markup.ToMarkdown(before.Body, markup.Options{})
	n := strings.Count(doc.Markdown, in.Find)
	if err != nil || n != 1 {
		return "", nil, usererr.New(usererr.BadInput, fmt.Sprintf("The text to be replaced stands %d times on the page, so nothing was written", n),
			"Give the words of one paragraph or cell exactly as they read; view search of confluence_get_page finds them")
	}
	after, lost, err := change.Rewritten(before.Body, strings.Replace(doc.Markdown, in.Find, in.Body, 1))
	if err != nil {
		return "", nil, err
	}
	return within(after, lost)
}

// within checks a body against what Confluence takes.
func within(body string, lost []string) (string, []string, error) {
	if len(body) > change.MaxBody {
		return "", nil, change.ErrTooLarge()
	}
	return body, lost, nil
}

// maxNamed limits the sections that a refusal names.
const maxNamed = 40

// Choose finds the one section that a name means, or says which there are.
func Choose(o section.Outline, name string) (section.Section, error) {
	found := o.Find(name)
	if len(found) == 1 {
		return found[0], nil
	}
	said, among := "There is no section "+tool.Clip(name, 80), o.Sections
	if len(found) > 1 {
		said, among = fmt.Sprintf("There are %d sections of that heading", len(found)), found
	}
	var b strings.Builder
	b.WriteString(tool.Notice + "\n")
	for i, s := range among {
		if i == maxNamed {
			b.WriteString("…\n")
			break
		}
		title := s.Title
		if s.ID == section.Top {
			title = "(before the first heading)"
		}
		fmt.Fprintf(&b, "- %s: %s\n", s.ID, tool.Clip(title, 80))
	}
	return section.Section{}, tool.Detailed(usererr.New(usererr.BadInput, said, "Give one of the ids below"), strings.TrimSpace(b.String()))
}
