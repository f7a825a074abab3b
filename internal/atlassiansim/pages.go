package atlassiansim

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/seed"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Page is a page of the wiki, for tests.
type Page struct {
	ID, Space, Title, Status string
	Version                  int
	Body                     string // storage format
}

// first is the cloud id of the site that tests ask about, and a person who
// sees all of it.
func (s *Sim) first() (string, bool) {
	sites := s.people.Sites()
	if len(sites) == 0 {
		return "", false
	}
	return sites[0].CloudID, true
}

func show(space string, p wiki.Page) Page {
	v := p.Newest()
	return Page{ID: strconv.FormatInt(p.ID, 10), Space: space, Title: v.Title, Status: p.Status, Version: v.Number, Body: v.Body}
}

// AnyPage returns a page of a space that everybody may read, not its home
// page; always the same. It is the zero Page if there is none.
func (s *Sim) AnyPage(space string) Page {
	cloudID, ok := s.first()
	if !ok {
		return Page{}
	}
	for _, p := range s.wiki.All(cloudID, space) {
		if p.Status == "current" && p.Type == "page" && p.VisibleTo == nil && p.Parent != 0 {
			return show(space, p)
		}
	}
	return Page{}
}

// PageByTitle finds a current page.
func (s *Sim) PageByTitle(space, title string) (Page, bool) {
	found := s.titled(space, title)
	if len(found) == 0 {
		return Page{}, false
	}
	return show(space, found[0]), true
}

// PageByID finds a page of any status.
func (s *Sim) PageByID(id string) (Page, bool) {
	cloudID, ok := s.first()
	n, err := strconv.ParseInt(id, 10, 64)
	if !ok || err != nil {
		return Page{}, false
	}
	for _, p := range s.wiki.All(cloudID, "") {
		if p.ID == n {
			return show(s.wiki.KeyOf(cloudID, p.Space), p), true
		}
	}
	return Page{}, false
}

// CountPages counts the current pages with a title in a space.
func (s *Sim) CountPages(space, title string) int { return len(s.titled(space, title)) }

func (s *Sim) titled(space, title string) []wiki.Page {
	cloudID, ok := s.first()
	if !ok {
		return nil
	}
	var found []wiki.Page
	for _, p := range s.wiki.All(cloudID, space) {
		if p.Status == "current" && strings.EqualFold(p.Newest().Title, title) {
			found = append(found, p)
		}
	}
	return found
}

// CreatePages adds n pages for load to a space.
func (s *Sim) CreatePages(space string, n int) []Page {
	cloudID, ok := s.first()
	people := s.people.People()
	if !ok || len(people) == 0 {
		return nil
	}
	in, ok := s.wiki.SpaceByKey(cloudID, space)
	if !ok {
		return nil
	}
	all := make([]Page, 0, n)
	for range n {
		title, body := seed.Load(s.wiki.Count(cloudID) + 1)
		p, err := s.wiki.Add(cloudID, people[0], wiki.Draft{Space: in.ID, Status: "current", Title: title, Body: body})
		if err != nil {
			panic(fmt.Sprintf("atlassiansim: adding %q: %v", title, err)) // the text is ours
		}
		all = append(all, show(space, p))
	}
	return all
}

// Open lets everybody read and write in a space.
func (s *Sim) Open(space string) {
	if cloudID, ok := s.first(); ok {
		s.wiki.Open(cloudID, space)
	}
}

// Restrict makes a page, and all below it, visible to the named people only;
// nobody named lifts the restriction.
func (s *Sim) Restrict(id string, people ...string) {
	cloudID, ok := s.first()
	if n, err := strconv.ParseInt(id, 10, 64); ok && err == nil {
		s.wiki.Restrict(cloudID, n, people)
	}
}
