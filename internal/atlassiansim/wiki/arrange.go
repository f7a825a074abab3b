package wiki

import (
	"slices"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

// Move puts a page before, after or below another (position before, after,
// append), with all that is below it; also into another space.
func (w *Wiki) Move(cloudID string, who directory.Person, id int64, position string, target int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	old, to := s.pages[id], s.pages[target]
	if old == nil || to == nil || !s.visible(old, who) || !s.visible(to, who) || !s.space(old.Space).writes(who) || !s.space(to.Space).writes(who) {
		return NotFound()
	}
	if old.Status != "current" || to.Status != "current" || old.Type != "page" || to.Type != "page" || id == target {
		return Bad("The page cannot be moved there.")
	}
	parent := to.Parent
	if position == "append" {
		parent = target
	}
	for at := s.pages[parent]; at != nil; at = s.pages[at.Parent] {
		if at.ID == id {
			return Bad("The move would create a parent-child loop.")
		}
	}
	tree := s.below(id)
	if to.Space != old.Space {
		for _, below := range tree {
			p := *s.pages[below]
			p.Space = to.Space
			if s.taken(&p, p.Newest().Title) {
				return duplicate()
			}
		}
	}
	s.place(old, parent, position, target)
	for _, below := range tree {
		p := *s.pages[below]
		s.hold(&p, p.Newest().Title, -1)
		p.Space = to.Space
		s.hold(&p, p.Newest().Title, 1)
		s.pages[below] = &p
	}
	return nil
}

// below lists a page and all below it, parents first.
func (s *site) below(id int64) []int64 {
	all := []int64{id}
	for i := 0; i < len(all); i++ {
		all = append(all, s.kids[all[i]]...)
	}
	return all
}

// place puts a page among the children of parent.
func (s *site) place(old *Page, parent int64, position string, target int64) {
	s.kids[old.Parent] = slices.DeleteFunc(slices.Clone(s.kids[old.Parent]), func(id int64) bool { return id == old.ID })
	siblings := slices.Clone(s.kids[parent])
	at := len(siblings)
	if i := slices.Index(siblings, target); i >= 0 && position == "before" {
		at = i
	} else if i >= 0 && position == "after" {
		at = i + 1
	}
	s.kids[parent] = slices.Insert(siblings, at, old.ID)
	p := *old
	p.Parent = parent
	s.pages[p.ID] = &p
	for i, id := range s.kids[parent] {
		sibling := *s.pages[id]
		sibling.Position = i
		s.pages[id] = &sibling
	}
}

// Copied says what is copied where to.
type Copied struct {
	ID     int64
	Parent int64 // 0 for none
	Space  int64 // where there is no parent
	Title  func(string) string
	Labels bool
}

// Copy makes a page of the newest version of another.
func (w *Wiki) Copy(cloudID string, who directory.Person, c Copied) (Page, error) {
	from, err := w.Page(cloudID, who, c.ID)
	if err != nil {
		return Page{}, err
	}
	if c.Parent != 0 {
		to, err := w.Page(cloudID, who, c.Parent)
		if err != nil {
			return Page{}, err
		}
		c.Space = to.Space
	}
	draft := Draft{
		Space: c.Space, Parent: c.Parent, Root: c.Parent == 0, Type: from.Type, Status: "current",
		Title: c.Title(from.Newest().Title), Body: from.Newest().Body,
	}
	if c.Labels {
		draft.Labels = slices.Clone(from.Labels)
	}
	return w.Create(cloudID, who, draft)
}

// CopyTree copies a page and all below it to below another page. It returns the
// copy of the page and how many there are.
func (w *Wiki) CopyTree(cloudID string, who directory.Person, c Copied) (Page, int, error) {
	kids, err := w.Children(cloudID, who, c.ID)
	if err != nil {
		return Page{}, 0, err
	}
	made, err := w.Copy(cloudID, who, c)
	if err != nil {
		return Page{}, 0, err
	}
	n := 1
	for _, kid := range kids {
		_, more, err := w.CopyTree(cloudID, who, Copied{ID: kid.ID, Parent: made.ID, Title: c.Title, Labels: c.Labels})
		if err != nil {
			return made, n, err
		}
		n += more
	}
	return made, n, nil
}

// Archive puts pages out of the way. They keep their titles.
func (w *Wiki) Archive(cloudID string, who directory.Person, ids []int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	for _, id := range ids {
		switch p := s.pages[id]; {
		case p == nil || !s.visible(p, who):
			// What is measured; the description says 400.
			return &Error{Status: 500, Code: "INTERNAL_SERVER_ERROR", Title: "Internal Server Error"}
		case !s.space(p.Space).writes(who):
			return NotFound()
		case p.Status != "current" || p.Type != "page":
			return Bad("The page is already archived.")
		}
	}
	for _, id := range ids {
		p := *s.pages[id]
		p.Status = "archived"
		s.pages[id] = &p
	}
	return nil
}

// Below is a page below another.
type Below struct {
	Page
	Depth int // 1 for a child
}

// Descendants lists the current pages below a page, down to a depth, each parent
// before its children.
func (w *Wiki) Descendants(cloudID string, who directory.Person, id int64, depth int) ([]Below, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	if p := s.pages[id]; p == nil || !s.visible(p, who) {
		return nil, NotFound()
	}
	var all []Below
	var walk func(id int64, at int)
	walk = func(id int64, at int) {
		for _, kid := range s.kids[id] {
			p := s.pages[kid]
			if p.Status != "current" || !s.visible(p, who) {
				continue
			}
			all = append(all, Below{*p, at})
			if at < depth {
				walk(kid, at+1)
			}
		}
	}
	walk(id, 1)
	return all, nil
}

// Template is what pages are made from.
type Template struct {
	ID                string
	Space             int64 // 0 for a global one
	Name, Description string
	Body              string // storage format, with variables
}

// AddTemplate adds a template.
func (w *Wiki) AddTemplate(cloudID string, t Template) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	s.templates = append(s.templates, t)
}

// Templates lists the templates of a space, or the global ones for 0.
func (w *Wiki) Templates(cloudID string, space int64) []Template {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var all []Template
	for _, t := range w.sites[cloudID].templates {
		if t.Space == space {
			all = append(all, t)
		}
	}
	return all
}

// Template finds a template that a person may use.
func (w *Wiki) Template(cloudID string, who directory.Person, id string) (Template, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	for _, t := range s.templates {
		if t.ID == id && (t.Space == 0 || s.space(t.Space).sees(who)) {
			return t, true
		}
	}
	return Template{}, false
}

// Task is work that takes long: it is done at once here, but seems to go on
// while it is looked at.
type Task struct {
	ID      string
	Started time.Time
	Copied  int64 // the page that came of it
	Pages   int
	Looks   int // how often it was looked at
	Failed  bool
}

// StartTask keeps a task under an id.
func (w *Wiki) StartTask(cloudID string, t Task) Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	t.ID, t.Started = strconv.FormatInt(w.next, 10), time.Now()
	w.next += idStep
	s.tasks = append(s.tasks, &t)
	return t
}

// LookAtTask finds a task, which seems to go on by that.
func (w *Wiki) LookAtTask(cloudID, id string) (Task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.sites[cloudID].tasks {
		if t.ID == id {
			t.Looks++
			return *t, true
		}
	}
	return Task{}, false
}
