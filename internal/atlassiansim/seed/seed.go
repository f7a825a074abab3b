// Package seed is the simulated company: its people, its spaces and a small
// wiki that reads like a real one. Pages are files in the folder wiki, one
// folder per space; the first file of a space is its home page.
package seed

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

//go:embed wiki
var files embed.FS

// People are who works at Acme.
func People() []directory.Person {
	return []directory.Person{
		{Name: "ada", DisplayName: "Ada Berger", JobTitle: "Staff Engineer, Platform"},
		{Name: "ben", DisplayName: "Ben Okafor", JobTitle: "Site Reliability Engineer"},
		{Name: "chloe", DisplayName: "Chloé Martin", JobTitle: "Head of Finance"},
		{Name: "dmitri", DisplayName: "Dmitri Volkov", JobTitle: "People Partner"},
		{Name: "esther", DisplayName: "Esther Lindqvist", JobTitle: "General Counsel"},
		{Name: "farid", DisplayName: "Farid Rahimi", JobTitle: "Contractor, Web"},
		{Name: "gus", DisplayName: "Gus Pereira", JobTitle: "Warehouse", NoLicence: true},
	}
}

// folder is a space and the folder that holds its pages.
type folder struct {
	dir    string
	author string
	age    int // days
	wiki.Space
}

// staff is everybody but the contractor.
func staff() []string { return []string{"ada", "ben", "chloe", "dmitri", "esther"} }

func folders(ada directory.Person) []folder {
	personal := "~" + strings.NewReplacer(":", "", "-", "").Replace(ada.AccountID)
	return []folder{
		{"ENG", "ada", 900, wiki.Space{Key: "ENG", Name: "Engineering", Description: "How we build, ship and run our software.", Labels: []string{"team"}, Favourite: []string{"ben"}, Writers: []string{"ada", "ben", "farid"}}},
		{"OPS", "ben", 850, wiki.Space{Key: "OPS", Name: "Operations", Description: "Runbooks, on-call and everything that must work at night.", Labels: []string{"team", "on-call"}, Favourite: []string{"ada", "ben"}, VisibleTo: staff(), Writers: []string{"ada", "ben"}}},
		{"HR", "dmitri", 880, wiki.Space{Key: "HR", Name: "People", Description: "Working at Acme: holidays, onboarding, benefits.", Writers: []string{"dmitri", "chloe"}}},
		{"LEGAL", "esther", 700, wiki.Space{Key: "LEGAL", Name: "Legal", Description: "Contracts and advice. Privileged and confidential.", VisibleTo: staff(), Writers: []string{"esther"}}},
		{"FIN", "chloe", 720, wiki.Space{Key: "FIN", Name: "Finance", Description: "Budget, forecasts and board papers.", VisibleTo: []string{"chloe", "esther"}, Writers: []string{"chloe"}}},
		{"ADA", "ada", 600, wiki.Space{Key: personal, Name: "Ada Berger", Type: "personal", Description: "Notes and drafts.", Writers: []string{"ada"}}},
	}
}

// Fill writes the company's wiki to a site. Ages of pages are counted back
// from now.
func Fill(w *wiki.Wiki, people *directory.Directory, cloudID string) {
	f := filler{wiki: w, people: people, cloudID: cloudID, now: time.Now().UTC().Truncate(time.Minute)}
	for _, folder := range folders(f.person("ada")) {
		if err := f.folder(folder); err != nil {
			panic("seed: " + folder.dir + ": " + err.Error()) // the files are ours, and a test reads them all
		}
	}
	ops, _ := w.SpaceByKey(cloudID, "OPS") // it was just made
	for _, t := range templates(ops.ID) {
		w.AddTemplate(cloudID, t)
	}
}

// templates are a global one and one of a space, with variables.
func templates(ops int64) []wiki.Template {
	return []wiki.Template{
		{ID: "65601", Name: "Meeting notes", Description: "Who met, and what was decided.", Body: `<at:declarations><at:string at:name="Team" /><at:textarea at:columns="100" at:name="Agenda" at:rows="5" /></at:declarations>` +
			`<h2>Meeting of <at:var at:name="Team" /></h2><p><at:var at:name="Agenda" /></p><h2>Decisions</h2><p><ac:placeholder>What was decided?</ac:placeholder></p>`},
		{ID: "65602", Space: ops, Name: "Runbook", Description: "What to do when it breaks.", Body: `<at:declarations><at:string at:name="Service" /><at:list at:name="Severity"><at:option at:value="high" /><at:option at:value="low" /></at:list></at:declarations>` +
			`<h1>Runbook <at:var at:name="Service" /></h1><p>Severity: <at:var at:name="Severity" /></p><ac:structured-macro ac:name="toc" /><h2>Check</h2><p>…</p>`},
	}
}

type filler struct {
	wiki    *wiki.Wiki
	people  *directory.Directory
	cloudID string
	now     time.Time
}

// person finds somebody, or whoever is there in a company without them.
func (f filler) person(name string) directory.Person {
	if p, ok := f.people.Person(name); ok {
		return p
	}
	if all := f.people.People(); len(all) > 0 {
		return all[0]
	}
	return directory.Person{Name: name}
}

func (f filler) ago(days int) time.Time { return f.now.AddDate(0, 0, -days) }

func (f filler) folder(in folder) error {
	in.Author, in.Created = f.person(in.author).AccountID, f.ago(in.age)
	space := f.wiki.AddSpace(f.cloudID, in.Space)
	entries, err := files.ReadDir(path.Join("wiki", in.dir))
	if err != nil {
		return err
	}
	ids := map[string]int64{}
	for i, entry := range entries {
		text, err := files.ReadFile(path.Join("wiki", in.dir, entry.Name()))
		if err != nil {
			return err
		}
		p, err := parse(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", entry.Name(), err)
		}
		parent, ok := ids[p.parent]
		if !ok && p.parent != "" {
			return fmt.Errorf("%s: no page %q before it", entry.Name(), p.parent)
		}
		if ids[p.title], err = f.page(space.ID, parent, i == 0, p); err != nil {
			return fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	return nil
}

func (f filler) page(space, parent int64, home bool, p file) (int64, error) {
	versions := make([]wiki.Version, 0, len(p.edits))
	for i, e := range p.edits {
		versions = append(versions, wiki.Version{
			Number: i + 1, Title: p.title, Body: f.mentions(e.body), Message: e.message,
			Author: f.person(e.author).AccountID, Created: f.ago(e.age),
		})
	}
	made, err := f.wiki.Add(f.cloudID, f.person(p.edits[0].author), wiki.Draft{
		Space: space, Parent: parent, Root: home, Type: p.kind, Status: p.status, Title: p.title, Body: versions[0].Body,
		Labels: p.labels, VisibleTo: p.visible, Created: versions[0].Created,
	})
	if err != nil {
		return 0, err
	}
	return made.ID, f.wiki.Rewrite(f.cloudID, made.ID, versions)
}

// mentions replaces @name by the person's account id.
func (f filler) mentions(body string) string {
	for _, p := range f.people.People() {
		body = strings.ReplaceAll(body, `ri:account-id="@`+p.Name+`"`, `ri:account-id="`+p.AccountID+`"`)
	}
	return body
}

// file is a page as written down: lines of "name: value", then each version
// after a line "=== author age-in-days message".
type file struct {
	title, parent, kind, status string
	labels, visible             []string
	edits                       []edit
}

type edit struct {
	author, message, body string
	age                   int
}

const divider = "=== "

var errFormat = errors.New("not a page")

func parse(text string) (file, error) {
	p := file{kind: "page", status: "current"}
	head, rest, ok := strings.Cut(text, "\n"+divider)
	if !ok {
		return p, errFormat
	}
	for _, line := range strings.Split(head, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "title":
			p.title = value
		case "parent":
			p.parent = value
		case "kind":
			p.kind = value
		case "status":
			p.status = value
		case "labels":
			p.labels = strings.Split(value, ", ")
		case "visible":
			p.visible = strings.Split(value, ", ")
		default:
			return p, fmt.Errorf("%w: unknown %q", errFormat, line)
		}
	}
	for _, part := range strings.Split(rest, "\n"+divider) {
		line, body, _ := strings.Cut(part, "\n")
		words := strings.SplitN(line, " ", 3)
		if len(words) < 2 {
			return p, fmt.Errorf("%w: version %q", errFormat, line)
		}
		age, err := strconv.Atoi(words[1])
		if err != nil {
			return p, fmt.Errorf("%w: age %q", errFormat, words[1])
		}
		e := edit{author: words[0], age: age, body: strings.TrimSpace(body)}
		if len(words) == 3 {
			e.message = words[2]
		}
		p.edits = append(p.edits, e)
	}
	if p.title == "" || slices.ContainsFunc(p.edits, func(e edit) bool { return e.body == "" }) {
		return p, errFormat
	}
	return p, nil
}

// Load is the n-th page that is there for load only.
func Load(n int) (title, body string) {
	title = fmt.Sprintf("Service report %d", n)
	body = fmt.Sprintf(`<h2>Summary</h2><p>Report %d of the metering service: <strong>%d</strong> requests, no incident.</p>`+
		`<table><tbody><tr><th><p>Region</p></th><th><p>Requests</p></th></tr><tr><td><p>eu-central</p></td><td><p>%d</p></td></tr>`+
		`<tr><td><p>us-east</p></td><td><p>%d</p></td></tr></tbody></table>`+
		`<ac:structured-macro ac:name="info"><ac:rich-text-body><p>Written by the reporting job.</p></ac:rich-text-body></ac:structured-macro>`,
		n, 1000+n*7%9001, 400+n*3%3001, 600+n*5%5003)
	return title, body
}
