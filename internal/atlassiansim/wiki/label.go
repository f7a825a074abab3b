package wiki

import (
	"net/http"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

// Labels that a page may have, and characters that one may have.
const (
	maxLabels = 100
	maxLabel  = 255
)

// Label adds labels to a page and takes others away. That makes no version. A
// label that is on the page is not added again; one that is not on it cannot be
// taken away.
func (w *Wiki) Label(cloudID string, who directory.Person, id int64, add, remove []string) (Page, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sites[cloudID]
	old := s.pages[id]
	switch {
	case old == nil || !s.visible(old, who):
		return Page{}, NotFound()
	case !s.space(old.Space).writes(who):
		return Page{}, &Error{http.StatusForbidden, "FORBIDDEN", "The calling user cannot edit the content"}
	}
	p := *old
	p.Labels = slices.Clone(p.Labels)
	for _, name := range add {
		name = strings.ToLower(name)
		if name == "" || len(name) > maxLabel || strings.ContainsAny(name, " ,!#&()*;:<>?@[]^\t\n") {
			return Page{}, Bad("The label contains invalid characters")
		}
		if !slices.Contains(p.Labels, name) {
			p.Labels = append(p.Labels, name)
		}
	}
	if len(p.Labels) > maxLabels {
		return Page{}, Bad("The content would have too many labels")
	}
	for _, name := range remove {
		i := slices.Index(p.Labels, name)
		if i < 0 {
			return Page{}, NotFound()
		}
		p.Labels = slices.Delete(p.Labels, i, i+1)
	}
	s.pages[id] = &p
	return p, nil
}

// CreateSpace adds a space with a home page for a person.
func (w *Wiki) CreateSpace(cloudID string, who directory.Person, space Space) (Space, error) {
	if _, taken := w.SpaceByKey(cloudID, space.Key); taken {
		return Space{}, Bad("A space already exists with key " + space.Key)
	}
	space.Author = who.AccountID
	made := w.AddSpace(cloudID, space)
	home, err := w.Create(cloudID, who, Draft{Space: made.ID, Root: true, Status: "current", Title: space.Name + " Home"})
	if err == nil {
		made.Homepage = home.ID
	}
	return made, err
}
