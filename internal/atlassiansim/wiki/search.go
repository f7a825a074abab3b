package wiki

import (
	"slices"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/cql"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

// Hit is one result of a search: a version of a page as the index knows it, or
// a space.
type Hit struct {
	Score   float64
	Space   Space
	Page    *Page    // nil for a space
	Version *Version // nil for a space
}

// Search finds what a person sees. The index is behind the wiki by lag: pages
// are found as they were then, also those that have been deleted since.
func (w *Wiki) Search(cloudID string, who directory.Person, q *cql.Query, lag time.Duration) []Hit {
	w.mu.RLock()
	defer w.mu.RUnlock()
	now := time.Now()
	asOf := now.Add(-lag)
	env := cql.Env{User: who.AccountID, Now: now}
	s := w.sites[cloudID]
	found := map[*cql.Doc]Hit{}
	var docs []cql.Scored
	add := func(d *cql.Doc, h Hit) {
		if score, ok := q.Match(d, env); ok {
			h.Score = score
			found[d] = h
			docs = append(docs, cql.Scored{Doc: d, Score: score})
		}
	}
	for _, id := range s.order {
		p := s.pages[id]
		v := p.asOf(asOf)
		if v == nil || !s.visible(p, who) {
			continue
		}
		space := s.space(p.Space)
		add(s.doc(p, v, space), Hit{Space: *space, Page: p, Version: v})
	}
	// Spaces are found only by queries that look for them or for anything.
	if q.Mentions("type", "space") || q.Mentions("sitesearch", "") {
		for _, space := range s.spaces {
			if space.sees(who) {
				add(spaceDoc(space), Hit{Space: *space})
			}
		}
	}
	q.Sort(docs)
	hits := make([]Hit, len(docs))
	for i, d := range docs {
		hits[i] = found[d.Doc]
	}
	return hits
}

// asOf is the version that the index knows; nil if it does not know the page.
func (p *Page) asOf(at time.Time) *Version {
	switch {
	case p.Status == "draft":
		return nil
	case p.Status == "trashed" && !p.trashed.After(at):
		return nil
	}
	for _, v := range slices.Backward(p.Versions) {
		if !v.Created.After(at) {
			return v
		}
	}
	return nil
}

func (s *site) doc(p *Page, v *Version, space *Space) *cql.Doc {
	d := &cql.Doc{
		ID: strconv.FormatInt(p.ID, 10), Type: p.Type, Title: v.Title,
		SpaceKey: space.Key, SpaceName: space.Name, SpaceType: space.Type,
		Words: v.words, TitleWords: v.titleWords, Labels: p.Labels,
		Creator: p.Author(), Created: p.Created(), Modified: v.Created,
		Parent: strconv.FormatInt(p.Parent, 10),
	}
	for _, former := range p.Versions {
		d.Contributors = append(d.Contributors, former.Author)
	}
	for at := s.pages[p.Parent]; at != nil; at = s.pages[at.Parent] {
		d.Ancestors = append(d.Ancestors, strconv.FormatInt(at.ID, 10))
	}
	return d
}

func spaceDoc(space *Space) *cql.Doc {
	return &cql.Doc{
		Type: "space", Title: space.Name, SpaceKey: space.Key, SpaceName: space.Name, SpaceType: space.Type,
		Words: cql.Words(space.Name + " " + space.Description), TitleWords: cql.Words(space.Name),
		Creator: space.Author, Created: space.Created, Modified: space.Created,
	}
}
