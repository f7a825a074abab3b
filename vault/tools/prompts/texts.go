package prompts

import (
	"embed"
	"strings"
	"text/template"
)

// all are the prompts. What they tell the model of tools must fit the tools.
func all() []prompt {
	return []prompt{
		{
			name: "summarise_week", title: "Summarise a space's week",
			description: "What changed in a Confluence space lately, who did what, and what waits for somebody",
			fields: []field{
				{name: "space", description: "Key of the space, such as ENG", required: true},
				{name: "days", description: "How many days to look back, 7 if empty", days: true},
				site(),
			},
		},
		{
			name: "draft_minutes", title: "Draft minutes",
			description: "Minutes of a meeting out of notes, as a Confluence page that is shown before it is made",
			fields: []field{
				{name: "topic", description: "What the meeting was about", required: true},
				{name: "notes", description: "Your notes or a transcript; if empty, the model asks", long: true},
				{name: "attendees", description: "Who was there"},
				{name: "date", description: "When it was, today if empty"},
				{name: "space", description: "Key of the space for the page; if empty, the model asks"},
				{name: "page", description: "Title or id of the page to put it below"},
				site(),
			},
		},
		{
			name: "review_page", title: "Review a page",
			description: "Comments on a Confluence page: what is wrong, missing, out of date or unclear",
			fields: []field{
				{name: "page", description: "Title, id or address of the page", required: true},
				{name: "space", description: "Key of the space, with a title"},
				{name: "focus", description: "What to look at, such as: facts, structure, security, language"},
				site(),
			},
		},
	}
}

//go:embed *.md
var texts embed.FS

// parse reads the text of a prompt, which is in a file of its name.
func parse(name string) *template.Template {
	text, err := texts.ReadFile(name + ".md")
	if err != nil {
		panic("prompts: " + err.Error()) // impossible: a test asks for each
	}
	return template.Must(template.New(name).Funcs(template.FuncMap{"quoted": quoted}).Parse(string(text)))
}

// quoted makes text fit for the quotes of a query.
func quoted(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
}
