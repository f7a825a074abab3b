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
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/properties"
)

// Confluence keeps the emoji, the width and the cover of a page as properties of
// it.
const (
	emojiKey  = "emoji-title-published"
	widthKey  = "content-appearance-published"
	coverKey  = "cover-picture-id-published"
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

// picture is what the property of a cover says, which is JSON inside of a text.
type picture struct {
	ID       string `json:"id"`       // of the media, or an address elsewhere
	Position int    `json:"position"` // in percent from the top
}

// middle is where covers are put.
const middle = 50

// cover finds the picture above a page: the name of a file of it, or what
// Confluence calls it. It is "" for none.
func cover(ctx context.Context, w *guard.Wiki, page guard.Page) (string, error) {
	found, has, err := properties.Find(ctx, w, page, coverKey)
	if err != nil || !has {
		return "", err
	}
	var value string
	var p picture
	if json.Unmarshal(found.Value, &value) != nil || json.Unmarshal([]byte(value), &p) != nil || p.ID == "" {
		return "", nil // of another form: nothing that we know
	}
	if f, err := files.OfMedia(ctx, w, page, p.ID); err == nil { // else the name is kept from us, or it is elsewhere
		return plaintext.Line(f.Name, maxCover), nil
	}
	return plaintext.Line(p.ID, maxCover), nil
}

const maxCover = 200 // characters that are shown

// asCover is the value of the property for a picture among the files of the
// page. Pictures elsewhere are not taken: everybody who reads the page would
// call there.
func asCover(ctx context.Context, w *guard.Wiki, page guard.Page, ref string) (string, error) {
	f, err := files.Find(ctx, w, page, ref)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(f.MediaType, "image/") || f.MediaID == "" {
		return "", usererr.New(usererr.BadInput, "The file "+plaintext.Line(f.Name, 80)+" is no picture that Confluence can show", "Attach a PNG or JPEG file to the page and name that")
	}
	data, err := json.Marshal(picture{f.MediaID, middle})
	return string(data), err
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
