package wiki

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

// Limits of a page.
const (
	MaxTitle = 255
	MaxBody  = 5 << 20
)

// Draft is what a page is made from.
type Draft struct {
	Space, Parent int64 // Parent 0: below the space's home page
	Root          bool  // no parent at all
	Type          string
	Status        string // current or draft
	Title, Body   string
	Message       string
	Labels        []string
	VisibleTo     []string
	Live          bool      // a live doc
	Created       time.Time // zero: now
}

// Edit is the next version of a page.
type Edit struct {
	ID          int64
	Status      string
	Title, Body string
	Message     string
	Number      int   // 0 skips the check
	Parent      int64 // 0 leaves the page where it is
	KeepBody    bool
}

// Create adds a page.
func (w *Wiki) Create(cloudID string, who directory.Person, d Draft) (Page, error) {
	return w.create(cloudID, who, d, true)
}

// Add adds a page whether its author may write there or not; for seeding.
func (w *Wiki) Add(cloudID string, author directory.Person, d Draft) (Page, error) {
	return w.create(cloudID, author, d, false)
}

func (w *Wiki) create(cloudID string, who directory.Person, d Draft, ask bool) (Page, error) {
	body, err := checked(d.Title, d.Body, d.Status == "draft")
	if err != nil {
		return Page{}, err
	}
	if d.Created.IsZero() {
		d.Created = time.Now()
	}
	if d.Type == "" {
		d.Type = "page"
	}
	v := version(Version{Number: 1, Title: d.Title, Body: body, Message: d.Message, Author: who.AccountID, Created: d.Created.UTC()})
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	space := s.space(d.Space)
	if space == nil || ask && !space.writes(who) {
		return Page{}, NotFound()
	}
	parent := d.Parent
	if parent == 0 && !d.Root && d.Type == "page" {
		parent = space.Homepage
	}
	if parent != 0 {
		if p := s.pages[parent]; p == nil || p.Space != space.ID || p.Status != "current" || ask && !s.visible(p, who) {
			return Page{}, NotFound()
		}
	}
	p := &Page{
		ID: w.next, Space: space.ID, Parent: parent, Type: d.Type, Status: d.Status, Position: len(s.kids[parent]),
		Labels: d.Labels, VisibleTo: d.VisibleTo, Live: d.Live, Versions: []*Version{v},
	}
	if s.taken(p, d.Title) {
		return Page{}, duplicate()
	}
	w.next += idStep
	s.pages[p.ID] = p
	s.order = append(s.order, p.ID)
	s.kids[parent] = append(s.kids[parent], p.ID)
	s.hold(p, d.Title, 1)
	if space.Homepage == 0 && d.Root {
		space.Homepage = p.ID
	}
	return *p, nil
}

// version fills in what the index needs.
func version(v Version) *Version {
	v.plain = Plain(v.Body)
	v.titleWords = cql.Words(v.Title)
	v.words = append(slices.Clone(v.titleWords), cql.Words(v.plain)...)
	return &v
}

// checked refuses what Confluence refuses whoever sends it, and returns the
// body as it will be kept.
func checked(title, body string, draft bool) (string, error) {
	switch {
	case strings.TrimSpace(title) == "" && !draft:
		return "", Bad("A title must be specified for the page.")
	case len([]rune(title)) > MaxTitle:
		return "", Bad("The title is too long. The maximum is 255 characters.")
	case len(body) > MaxBody:
		return "", &Error{http.StatusRequestEntityTooLarge, "REQUEST_ENTITY_TOO_LARGE", "request is too large in size (over 5 MB)"}
	}
	kept, err := Normalise(body)
	if err != nil {
		return "", Bad("Error parsing xhtml: " + err.Error())
	}
	return kept, nil
}

func duplicate() *Error {
	return Bad("A page with this title already exists: A page already exists with the same TITLE in this space")
}

// holds reports whether a page keeps its title from others. Archived pages do,
// trashed ones and drafts do not.
func (p *Page) holds() bool {
	return p.Type == "page" && (p.Status == "current" || p.Status == "archived")
}

func titleKey(space int64, title string) string {
	return fmt.Sprintf("%d %s", space, strings.ToLower(strings.TrimSpace(title)))
}

// taken reports whether another page holds the title that p wants.
func (s *site) taken(p *Page, title string) bool {
	return p.holds() && s.titles[titleKey(p.Space, title)] > 0
}

func (s *site) hold(p *Page, title string, n int) {
	if p.holds() {
		s.titles[titleKey(p.Space, title)] += n
	}
}

// Update writes the next version of a page, publishes a draft, or takes a page
// out of the trash.
func (w *Wiki) Update(cloudID string, who directory.Person, e Edit) (Page, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	old := s.pages[e.ID]
	if old == nil || !s.visible(old, who) || !s.space(old.Space).writes(who) {
		return Page{}, NotFound()
	}
	if old.Status == "trashed" && e.Status == "current" {
		return s.restore(old)
	}
	p := *old
	number, bad := next(&p, e)
	if bad != nil {
		return Page{}, bad
	}
	if e.KeepBody {
		e.Body = p.Newest().Body
	}
	body, err := checked(e.Title, e.Body, e.Status == "draft")
	if err != nil {
		return Page{}, err
	}
	former := p.Newest()
	p.Status = e.Status
	s.hold(old, former.Title, -1)
	if s.taken(&p, e.Title) {
		s.hold(old, former.Title, 1)
		return Page{}, duplicate()
	}
	if e.Parent != 0 && e.Parent != p.Parent {
		if err := s.move(&p, who, e.Parent); err != nil {
			s.hold(old, former.Title, 1)
			return Page{}, err
		}
	}
	v := version(Version{Number: number, Title: e.Title, Body: body, Message: e.Message, Author: who.AccountID, Created: time.Now().UTC()})
	if number == former.Number { // a draft has one version
		p.Versions = []*Version{v}
	} else {
		p.Versions = append(slices.Clip(p.Versions), v)
	}
	s.hold(&p, e.Title, 1)
	s.pages[p.ID] = &p
	return p, nil
}

// next is the number of the version that e would make.
func next(p *Page, e Edit) (int, *Error) {
	current := p.Newest().Number
	switch {
	case p.Status == "draft" && (e.Number == 1 || e.Number == 0):
		return 1, nil
	case p.Status == "draft":
		return 0, conflict(current, e.Number)
	case e.Status == "draft":
		return 0, Bad("A draft of a published page cannot be made here.")
	case e.Number != 0 && e.Number != current+1:
		return 0, conflict(current, e.Number)
	}
	return current + 1, nil
}

func conflict(current, provided int) *Error {
	return &Error{http.StatusConflict, "CONFLICT", fmt.Sprintf(
		"Version must be incremented when updating a page. Current Version: [%d]. Provided version: [%d]", current, provided)}
}

// move puts p, a copy, below another page of its space.
func (s *site) move(p *Page, who directory.Person, parent int64) error {
	to := s.pages[parent]
	if to == nil || to.Space != p.Space || to.Status != "current" || !s.visible(to, who) {
		return NotFound()
	}
	for at := to; at != nil; at = s.pages[at.Parent] {
		if at.ID == p.ID {
			return Bad("A page cannot be moved below itself.")
		}
	}
	s.kids[p.Parent] = slices.DeleteFunc(s.kids[p.Parent], func(id int64) bool { return id == p.ID })
	s.kids[parent] = append(s.kids[parent], p.ID)
	p.Parent, p.Position = parent, len(s.kids[parent])-1
	return nil
}

// restore takes a page out of the trash; nothing else of the request counts.
func (s *site) restore(old *Page) (Page, error) {
	p := *old
	p.Status, p.trashed = "current", time.Time{}
	if s.taken(&p, p.Newest().Title) {
		return Page{}, duplicate()
	}
	s.hold(&p, p.Newest().Title, 1)
	s.pages[p.ID] = &p
	return p, nil
}

// Delete puts a page into the trash, or removes it from there for good.
func (w *Wiki) Delete(cloudID string, who directory.Person, id int64, purge bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	old := s.pages[id]
	if old == nil || !s.visible(old, who) || !s.space(old.Space).writes(who) {
		return NotFound()
	}
	switch {
	case purge && old.Status != "trashed":
		return Bad("The page must be in the trash to be purged.")
	case purge || old.Status == "draft":
		delete(s.pages, id)
		s.order = slices.DeleteFunc(slices.Clone(s.order), func(other int64) bool { return other == id })
		s.kids[old.Parent] = slices.DeleteFunc(s.kids[old.Parent], func(other int64) bool { return other == id })
		return nil
	case old.Status == "trashed":
		return NotFound()
	}
	p := *old
	s.hold(old, p.Newest().Title, -1)
	p.Status, p.trashed = "trashed", time.Now()
	s.pages[id] = &p
	return nil
}

// Restrict makes a page, and all below it, visible to the named people only;
// nil lifts the restriction.
func (w *Wiki) Restrict(cloudID string, id int64, people []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.sites[cloudID].pages[id]; old != nil {
		p := *old
		p.VisibleTo = people
		w.sites[cloudID].pages[id] = &p
	}
}

// Open lets everybody read and write in a space.
func (w *Wiki) Open(cloudID, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.sites[cloudID].spaces
	for i, space := range all {
		if space.Key == key {
			open := *space
			open.VisibleTo, open.Writers = nil, nil
			all[i] = &open
		}
	}
}

// Rewrite replaces the versions of a page by others of the same title; for
// seeding.
func (w *Wiki) Rewrite(cloudID string, id int64, versions []Version) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := *w.sites[cloudID].pages[id]
	p.Versions = nil
	for _, v := range versions {
		body, err := Normalise(v.Body)
		if err != nil {
			return err
		}
		v.Body = body
		p.Versions = append(p.Versions, version(v))
	}
	w.sites[cloudID].pages[id] = &p
	return nil
}
