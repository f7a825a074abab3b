package rest

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// tiny is the code of a page's short link: the id's little-endian bytes in
// base64 without what zero bytes become.
func tiny(page int64) string {
	code := base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, uint64(page))) //nolint:gosec // ids are positive
	code = strings.TrimRight(strings.TrimRight(code, "="), "A")
	return strings.NewReplacer("/", "-", "+", "_").Replace(code)
}

type pageVersion struct {
	versionJSON
	Page *versionedPage `json:"page,omitempty"`
}

type versionedPage struct {
	Title string             `json:"title"`
	ID    string             `json:"id"`
	Body  map[string]op.Body `json:"body,omitempty"`
}

func versions(c *call) (any, error) {
	q := c.URL.Query()
	body, err := format(q, "storage", "atlas_doc_format")
	if err != nil {
		return nil, err
	}
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	all := slices.Clone(p.Versions)
	switch by := q.Get("sort"); by {
	case "", "-modified-date":
		slices.Reverse(all)
	case "modified-date":
	default:
		return nil, op.BadParameter("sort", by)
	}
	return op.Cut(&c.Call, all, func(v *wiki.Version) pageVersion {
		shown := pageVersion{showVersion(v), &versionedPage{Title: v.Title, ID: op.ID(p.ID)}}
		if body != "" {
			shown.Page.Body = map[string]op.Body{body: {Representation: body, Value: render(v, body)}}
		}
		return shown
	})
}

type detailedVersion struct {
	versionJSON
	ContentTypeModified bool     `json:"contentTypeModified"`
	Collaborators       []string `json:"collaborators"`
	PrevVersion         int      `json:"prevVersion,omitempty"`
	NextVersion         int      `json:"nextVersion,omitempty"`
}

func version(c *call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	n, err := c.Number("number")
	if err != nil {
		return nil, err
	}
	v, ok := p.Version(int(n))
	if !ok {
		return nil, wiki.NotFound()
	}
	answer := detailedVersion{versionJSON: showVersion(v), Collaborators: []string{v.Author}, PrevVersion: v.Number - 1}
	if v != p.Newest() {
		answer.NextVersion = v.Number + 1
	}
	return answer, nil
}

func showLabels(p wiki.Page) []label {
	all := make([]label, 0, len(p.Labels))
	for _, name := range p.Labels {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(name)) // never fails
		all = append(all, label{op.ID(int64(sum.Sum32())), name, "global"})
	}
	return all
}

func labels(c *call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	return op.Cut(&c.Call, showLabels(p), func(l label) label { return l })
}

type ancestor struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func ancestors(c *call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	all, err := c.Wiki.Ancestors(c.Site.CloudID, c.Who, n)
	if err != nil {
		return nil, err
	}
	return op.Cut(&c.Call, all, func(p wiki.Page) ancestor { return ancestor{op.ID(p.ID), p.Type} })
}

type child struct {
	ID            string `json:"id"`
	Status        string `json:"status"`
	Title         string `json:"title"`
	Type          string `json:"type"`
	SpaceID       string `json:"spaceId"`
	ChildPosition int    `json:"childPosition"`
}

func children(c *call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	all, err := c.Wiki.Children(c.Site.CloudID, c.Who, n)
	if err != nil {
		return nil, err
	}
	return op.Cut(&c.Call, all, func(p wiki.Page) child {
		return child{op.ID(p.ID), p.Status, p.Newest().Title, p.Type, op.ID(p.Space), p.Position}
	})
}
