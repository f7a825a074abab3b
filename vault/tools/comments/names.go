package comments

import (
	"context"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/people"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// names are those of people, by account.
type names map[string]string

// naming asks once for everybody who wrote or is mentioned.
func naming(ctx context.Context, w *guard.Wiki, all []comments.Comment) names {
	var accounts []string
	for _, c := range all {
		accounts = append(append(accounts, c.Author), markup.Accounts(c.Body)...)
	}
	return people.Names(ctx, w, accounts)
}

func (n names) author(account string) string {
	if name := n[account]; name != "" {
		return name
	}
	return account
}

// markdown is a body in storage format as Markdown.
func (n names) markdown(body string) string {
	doc, err := markup.ToMarkdown(body, markup.Options{UserName: func(account string) string { return n[account] }})
	if err != nil {
		return "(This comment cannot be shown as Markdown.)"
	}
	return strings.TrimSpace(doc.Markdown)
}
