package writing

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const updatePage = "confluence_update_page"

type updateIn struct {
	Page     arguments.Ref `json:"page" jsonschema:"id or URL"`
	Expected int           `json:"expected_version" jsonschema:"the one that was read"`
	Body     string        `json:"body" jsonschema:"Markdown for the whole body; keep [[confluence:...]] marks"`
	Title    string        `json:"title,omitempty" jsonschema:"new title"`
	Message  string        `json:"message,omitempty" jsonschema:"for the history"`
	Minor    bool          `json:"minor_edit,omitempty" jsonschema:"notify nobody"`
	Publish  bool          `json:"publish,omitempty" jsonschema:"publish the draft that page is"`
	Lossy    bool          `json:"allow_loss,omitempty" jsonschema:"let go what a refusal named"`
	Dry      bool          `json:"dry_run,omitempty" jsonschema:"only show what would change"`
	Site     string        `json:"site,omitempty"`
}

var updatePageTool = tool.Spec[updateIn, change.Out]{
	Name: updatePage, Title: "Update a Confluence page",
	Description: "Replace the body of a page or blog post. Read it first and pass its version: if it has changed since, the answer shows both sides. For a part use confluence_edit_page.",
	Write:       true, Destructive: true,
	Run:     update,
	BulkFor: func(in updateIn) bool { return files.Any(in.Body) },
}

func update(ctx context.Context, t *tool.Set, in updateIn) (change.Out, string, error) {
	if _, err := change.Storage(in.Body); err != nil { // before anything is begun
		return change.Out{}, "", err
	}
	images := files.Of(t, in.Body)
	return change.Change{
		Images: images,
		Tool:   updatePage, Site: in.Site, Page: string(in.Page), Input: in, Expected: in.Expected, Title: in.Title, Message: in.Message,
		Minor: in.Minor, Publish: in.Publish, Lossy: in.Lossy, Dry: in.Dry, Done: "updated",
		Body: func(ctx context.Context, _ *guard.Wiki, before guard.Page) (string, []string, error) {
			body, err := images.Text(ctx)
			if err != nil {
				return "", nil, err
			}
			return change.Rewritten(before.Body, body)
		},
	}.Make(ctx, t)
}
