package change

import (
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// MaxBody is how many bytes of storage format Confluence takes.
const MaxBody = 5 << 20

// ErrTooLarge is the refusal of a body over [MaxBody].
func ErrTooLarge() error {
	return usererr.New(usererr.TooLarge, "The body is larger than the 5 MB that Confluence takes", "Split it into several pages")
}

// Storage converts a new body, within the limits.
func Storage(body string) (string, error) {
	if len(body) > MaxBody {
		return "", ErrTooLarge()
	}
	text, err := markup.FromMarkdown(body, markup.Options{})
	if err != nil {
		return "", usererr.Wrap(err, usererr.BadInput, "The body cannot be converted from Markdown", "Simplify it and try again")
	}
	if len(text) > MaxBody {
		return "", ErrTooLarge()
	}
	return text, nil
}

// Rewritten converts Markdown that takes the place of before, which is storage
// format, and lists what would be lost.
func Rewritten(before, body string) (after string, lost []string, err error) {
	after, lost, err = markup.Rewrite(before, body, markup.Options{})
	if err != nil { // what stands there cannot be read, and all of it goes
		after, err = Storage(body)
		return after, []string{"content that cannot be read"}, err
	}
	if len(after) > MaxBody {
		return "", nil, ErrTooLarge()
	}
	return after, lost, nil
}

// maxLost limits the things that one answer names as lost.
const maxLost = 20

// Some shortens a list of lost things.
func Some(lost []string) []string {
	var short []string
	for _, thing := range lost {
		if len(short) == maxLost {
			return append(short, "…")
		}
		short = append(short, tool.Clip(thing, 80))
	}
	return short
}
