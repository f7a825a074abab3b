package comments

import (
	"encoding/json"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

type versionJSON struct {
	Number    int    `json:"number"`
	Message   string `json:"message"`
	MinorEdit bool   `json:"minorEdit"`
	AuthorID  string `json:"authorId"`
	CreatedAt string `json:"createdAt"`
}

// anchorJSON has hyphens, unlike Atlassian's description: so it was seen live.
type anchorJSON struct {
	Ref       string `json:"inline-marker-ref"`
	Selection string `json:"inline-original-selection"`
}

type commentJSON struct {
	ID         string             `json:"id"`
	Status     string             `json:"status"`
	Title      string             `json:"title"`
	PageID     string             `json:"pageId,omitempty"`
	BlogPostID string             `json:"blogPostId,omitempty"`
	Parent     string             `json:"parentCommentId,omitempty"`
	Version    versionJSON        `json:"version"`
	Body       map[string]op.Body `json:"body"`
	Resolver   string             `json:"resolutionLastModifierId,omitempty"`
	ResolvedAt string             `json:"resolutionLastModifiedAt,omitempty"`
	Resolution string             `json:"resolutionStatus,omitempty"`
	Properties *anchorJSON        `json:"properties,omitempty"`
	Links      map[string]string  `json:"_links"`
}

// state is whether an inline comment is resolved; one whose text has gone from
// the page dangles.
func (x *comment) state(page wiki.Page) string {
	if x.resolution != "" && x.resolution != "resolved" && !strings.Contains(page.Newest().Body, `ac:ref="`+x.ref+`"`) {
		return "dangling"
	}
	return x.resolution
}

func show(c *op.Call, x *comment, format string) commentJSON {
	page, _ := c.Wiki.Page(c.Cloud(), c.Who, x.page) // it was found a moment ago
	v := x.newest()
	title := ""
	if len(page.Versions) > 0 {
		title = "Re: " + page.Newest().Title
	}
	answer := commentJSON{
		ID: op.ID(x.id), Status: "current", Title: title, Body: map[string]op.Body{},
		Version: versionJSON{Number: len(x.versions), Message: v.message, AuthorID: v.author, CreatedAt: op.When(v.created)},
		Links:   map[string]string{"webui": "/spaces/" + c.Wiki.KeyOf(c.Cloud(), page.Space) + "/pages/" + op.ID(x.page) + "?focusedCommentId=" + op.ID(x.id)},
	}
	switch {
	case x.parent != 0:
		answer.Parent = op.ID(x.parent)
	case page.Type == "blogpost":
		answer.BlogPostID = op.ID(x.page)
	default:
		answer.PageID = op.ID(x.page)
	}
	switch format {
	case "storage":
		answer.Body[format] = op.Body{Representation: format, Value: v.body}
	case "atlas_doc_format":
		text, err := json.Marshal(wiki.Plain(v.body))
		if err != nil {
			panic("comments: a text that cannot be encoded: " + err.Error()) // texts always can
		}
		answer.Body[format] = op.Body{Representation: format, Value: `{"type":"doc","version":1,"content":[{"type":"paragraph","content":[{"type":"text","text":` + string(text) + `}]}]}`}
	}
	if x.inline {
		answer.Resolution = x.state(page)
		if x.parent == 0 {
			answer.Properties = &anchorJSON{x.ref, x.selection}
		} else {
			answer.Resolution = "open"
		}
		if x.resolver != "" {
			answer.Resolver, answer.ResolvedAt = x.resolver, op.When(x.resolved)
		}
	}
	return answer
}
