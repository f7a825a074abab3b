// Package wiki is what the simulated Confluence keeps: spaces, pages with all
// their versions, who may see and change them, and an index that lags. It
// knows nothing of HTTP, but its errors carry the status that Confluence
// answers with.
package wiki

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

// Error is a refusal, in Confluence's words.
type Error struct {
	Status int
	Code   string // such as CONFLICT
	Title  string
}

// Error implements error.
func (e *Error) Error() string { return e.Title }

// NotFound is also the answer for everything that one may not see.
func NotFound() *Error { return &Error{http.StatusNotFound, "NOT_FOUND", "Not Found"} }

// Bad is a request that cannot be understood or done.
func Bad(title string) *Error { return &Error{http.StatusBadRequest, "BAD_REQUEST", title} }

// Space is a space.
type Space struct {
	ID          int64
	Key, Name   string
	Type        string // "global" or "personal"
	Description string
	Author      string // account id
	Created     time.Time
	Homepage    int64
	Labels      []string
	// VisibleTo and Writers name people; nil means everybody. Favourite names
	// those who starred it.
	VisibleTo, Writers, Favourite []string
}

func (s *Space) sees(p directory.Person) bool {
	return s.VisibleTo == nil || slices.Contains(s.VisibleTo, p.Name)
}

func (s *Space) writes(p directory.Person) bool {
	return s.sees(p) && (s.Writers == nil || slices.Contains(s.Writers, p.Name))
}

// Version is one version of a page. It never changes.
type Version struct {
	Number  int
	Title   string
	Body    string // storage format
	Message string
	Author  string // account id
	Created time.Time

	words, titleWords []string
	plain             string
}

// Plain is the text of the version's body without markup.
func (v *Version) Plain() string { return v.plain }

// Page is a page or blog post as it was when asked for.
type Page struct {
	ID, Space, Parent int64
	Type              string // "page" or "blogpost"
	Status            string // current, draft, archived, trashed
	Position          int
	Live              bool // a live doc: who edits it changes it at once
	Labels            []string
	// VisibleTo names the people to whom this page and all below it is
	// restricted; nil means no restriction.
	VisibleTo []string
	Versions  []*Version // at least one; the last is the newest

	trashed time.Time
}

// Newest is the page's last version.
func (p *Page) Newest() *Version { return p.Versions[len(p.Versions)-1] }

// Author is who created the page.
func (p *Page) Author() string { return p.Versions[0].Author }

// Created is when the page was created.
func (p *Page) Created() time.Time { return p.Versions[0].Created }

// Version finds a version by its number.
func (p *Page) Version(n int) (*Version, bool) {
	i := slices.IndexFunc(p.Versions, func(v *Version) bool { return v.Number == n })
	if i < 0 {
		return nil, false
	}
	return p.Versions[i], true
}

// site is the wiki of one site.
type site struct {
	directory.Site
	spaces []*Space
	pages  map[int64]*Page
	order  []int64           // of pages, by id
	titles map[string]int    // space and lower-case title to number of pages that hold it
	kids   map[int64][]int64 // parent to children

	templates []Template
	tasks     []*Task
}

// Wiki is the wikis of all sites. Its methods may be called from several
// goroutines.
type Wiki struct {
	mu    sync.RWMutex
	sites map[string]*site // guarded by mu; by cloud id
	next  int64            // guarded by mu; id of the next page
}

// Ids start where those of a site that has been in use for a while are.
const (
	firstSpace = 65_540
	firstPage  = 98_306
	idStep     = 33
)

// New returns empty wikis for sites.
func New(sites []directory.Site) *Wiki {
	w := &Wiki{sites: map[string]*site{}, next: firstPage}
	for _, s := range sites {
		w.sites[s.CloudID] = &site{Site: s, pages: map[int64]*Page{}, titles: map[string]int{}, kids: map[int64][]int64{}}
	}
	return w
}

// Site finds a site by its cloud id.
func (w *Wiki) Site(cloudID string) (directory.Site, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s, ok := w.sites[cloudID]
	if !ok {
		return directory.Site{}, false
	}
	return s.Site, true
}

// AddSpace adds a space and gives it an id.
func (w *Wiki) AddSpace(cloudID string, space Space) Space {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	space.ID = firstSpace + int64(len(s.spaces))*idStep
	if space.Type == "" {
		space.Type = "global"
	}
	s.spaces = append(s.spaces, &space)
	return space
}

// Spaces lists the spaces that a person sees.
func (w *Wiki) Spaces(cloudID string, who directory.Person) []Space {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var all []Space
	for _, space := range w.sites[cloudID].spaces {
		if space.sees(who) {
			all = append(all, *space)
		}
	}
	return all
}

// Space finds a space that a person sees.
func (w *Wiki) Space(cloudID string, who directory.Person, id int64) (Space, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	space := w.sites[cloudID].space(id)
	if space == nil || !space.sees(who) {
		return Space{}, NotFound()
	}
	return *space, nil
}

// Writes reports whether a person may write in a space.
func (w *Wiki) Writes(cloudID string, who directory.Person, id int64) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	space := w.sites[cloudID].space(id)
	return space != nil && space.writes(who)
}

// SpaceByKey finds a space whoever may see it.
func (w *Wiki) SpaceByKey(cloudID, key string) (Space, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, space := range w.sites[cloudID].spaces {
		if space.Key == key {
			return *space, true
		}
	}
	return Space{}, false
}

func (s *site) space(id int64) *Space {
	for _, space := range s.spaces {
		if space.ID == id {
			return space
		}
	}
	return nil
}

// visible reports whether a person may see a page: its space, and no
// restriction on it or above it.
func (s *site) visible(p *Page, who directory.Person) bool {
	if space := s.space(p.Space); space == nil || !space.sees(who) {
		return false
	}
	if p.Status == "draft" && p.Author() != who.AccountID {
		return false
	}
	for p != nil {
		if p.VisibleTo != nil && !slices.Contains(p.VisibleTo, who.Name) {
			return false
		}
		p = s.pages[p.Parent]
	}
	return true
}

// Page finds a page that a person sees, whatever its status.
func (w *Wiki) Page(cloudID string, who directory.Person, id int64) (Page, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	p := s.pages[id]
	if p == nil || !s.visible(p, who) {
		return Page{}, NotFound()
	}
	return *p, nil
}

// Pages lists the pages that a person sees and that keep admits, by id.
func (w *Wiki) Pages(cloudID string, who directory.Person, keep func(*Page) bool) []Page {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	var all []Page
	for _, id := range s.order {
		if p := s.pages[id]; keep(p) && s.visible(p, who) {
			all = append(all, *p)
		}
	}
	return all
}

// Children lists the current pages below a page, in their order.
func (w *Wiki) Children(cloudID string, who directory.Person, id int64) ([]Page, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	if p := s.pages[id]; p == nil || !s.visible(p, who) {
		return nil, NotFound()
	}
	var all []Page
	for _, child := range s.kids[id] {
		if p := s.pages[child]; p.Status == "current" && s.visible(p, who) {
			all = append(all, *p)
		}
	}
	return all, nil
}

// Ancestors lists the pages above a page, the highest first.
func (w *Wiki) Ancestors(cloudID string, who directory.Person, id int64) ([]Page, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	p := s.pages[id]
	if p == nil || !s.visible(p, who) {
		return nil, NotFound()
	}
	var all []Page
	for p = s.pages[p.Parent]; p != nil; p = s.pages[p.Parent] {
		all = append(all, *p)
	}
	slices.Reverse(all)
	return all, nil
}

// KeyOf is the key of a space, "" if there is no such space.
func (w *Wiki) KeyOf(cloudID string, id int64) string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if space := w.sites[cloudID].space(id); space != nil {
		return space.Key
	}
	return ""
}

// All lists the pages of a space whatever their status and whoever may see
// them, by id; of all spaces if key is "".
func (w *Wiki) All(cloudID, key string) []Page {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.sites[cloudID]
	var all []Page
	for _, id := range s.order {
		p := s.pages[id]
		if space := s.space(p.Space); key == "" || space != nil && space.Key == key {
			all = append(all, *p)
		}
	}
	return all
}

// Count counts the pages of a site.
func (w *Wiki) Count(cloudID string) int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.sites[cloudID].order)
}
