package files

import (
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/media"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// contentJSON is an attachment as v1 answers with it.
type contentJSON struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Status     string            `json:"status"`
	Title      string            `json:"title"`
	Version    olderVersion      `json:"version"`
	Extensions extensions        `json:"extensions"`
	Links      map[string]string `json:"_links"`
}

type olderVersion struct {
	By        map[string]string `json:"by"`
	When      string            `json:"when"`
	Message   string            `json:"message"`
	Number    int               `json:"number"`
	MinorEdit bool              `json:"minorEdit"`
}

type extensions struct {
	MediaType string `json:"mediaType"`
	FileSize  int64  `json:"fileSize"`
	Comment   string `json:"comment"`
	FileID    string `json:"fileId"`
}

func content(c *op.Call, p wiki.Page, f media.File) contentJSON {
	v := f.Newest()
	id := fmt.Sprintf("att%d", f.ID)
	return contentJSON{
		ID: id, Type: "attachment", Status: "current", Title: f.Name,
		Version: olderVersion{
			By:   map[string]string{"type": "known", "accountId": c.Who.AccountID, "accountType": "atlassian", "displayName": c.Who.Name, "publicName": c.Who.Name},
			When: op.When(v.Created), Message: v.Comment, Number: v.Number, MinorEdit: v.Minor,
		},
		Extensions: extensions{v.MediaType, v.Size, v.Comment, "sim-" + id},
		Links: map[string]string{
			"webui": "/pages/viewpageattachments.action?pageId=" + op.ID(p.ID), "self": c.Site.URL + "/wiki/rest/api/content/" + id,
		},
	}
}
