package social

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/properties"
)

// Confluence keeps the emoji and the width of a page as properties of it.
const (
	emojiKey  = "emoji-title-published"
	widthKey  = "content-appearance-published"
	fullWidth = "full-width"
	fixed     = "fixed-width"
)

// text is the value of a property that is a text, "" for none.
func text(ctx context.Context, w *guard.Wiki, page guard.Page, key string) (string, error) {
	found, _, err := properties.Find(ctx, w, page, key)
	if err != nil {
		return "", err
	}
	value := ""
	if json.Unmarshal(found.Value, &value) != nil {
		return "", nil // of another form: nothing that we know
	}
	return plaintext.Line(value, 50), nil
}

// maxEmoji is how many code points an emoji may have; families have seven.
const maxEmoji = 10

// toHex writes an emoji as Confluence keeps it: its code points in hexadecimal,
// with - between them.
func toHex(emoji string) (string, error) {
	runes := []rune(strings.TrimSpace(emoji))
	bad := usererr.New(usererr.BadInput, `The argument "value" must be one emoji`, "Give the character itself")
	if len(runes) == 0 || len(runes) > maxEmoji {
		return "", bad
	}
	var all []string
	for _, r := range runes {
		if r < 0xa9 && (r < '0' || r > '9') && r != '#' && r != '*' { // keycaps begin with a plain character
			return "", bad
		}
		all = append(all, fmt.Sprintf("%x", r))
	}
	if len(runes) == 1 && runes[0] < 0xa9 {
		return "", bad
	}
	return strings.Join(all, "-"), nil
}

// fromHex is the inverse; what is no emoji is shown as it is.
func fromHex(hex string) string {
	var b strings.Builder
	for _, part := range strings.Split(hex, "-") {
		n, err := strconv.ParseUint(part, 16, 32)
		if err != nil || n > 0x10ffff || n < 0x20 {
			return hex
		}
		b.WriteRune(rune(n))
	}
	return b.String()
}
