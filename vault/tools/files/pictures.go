package files

import (
	"encoding/base64"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

// picture is an image of a text that has to be brought to the page.
type picture struct {
	from, to int    // where its destination stands, brackets included
	path     string // as it stands there; "" for data
	data     []byte // of a data: URI
	kind     string // media type of data
	name     string // of the attachment, once it is known
	size     int64  // likewise
	sum      []byte // likewise; of the content
}

var (
	// image is ![…](destination "title") as CommonMark has it, with brackets in the
	// description one deep.
	image = regexp.MustCompile(`^!\[(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*\]\([ \t]*(<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)`)
	drive = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
	other = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
)

// endings are those of the images that a text may bring along as data.
var endings = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg", "image/bmp": ".bmp", "image/tiff": ".tif",
}

// pictures finds the images that a text brings along; of too many, one more than there may be.
func pictures(markdown string) []picture {
	var found []picture
	for _, at := range markup.Images(markdown) {
		m := image.FindStringSubmatchIndex(markdown[at:])
		if m == nil {
			continue // such as one whose destination stands elsewhere
		}
		p := picture{from: at + m[2], to: at + m[3]}
		if p.read(strings.TrimSuffix(strings.TrimPrefix(markdown[p.from:p.to], "<"), ">")) {
			if found = append(found, p); len(found) > maxImages {
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b picture) int { return a.from - b.from }) // one may stand in the description of another
	return found
}

// read decides whether a destination is one of the caller's computer, or data.
// A name without a folder is that of an attachment of the page.
func (p *picture) read(target string) bool {
	lower := strings.ToLower(target)
	switch {
	case strings.HasPrefix(lower, "data:"):
		return p.decode(target[len("data:"):])
	case strings.HasPrefix(lower, "file:"), drive.MatchString(target), strings.HasPrefix(target, `\\`):
	case other.MatchString(target), strings.HasPrefix(target, "//"), strings.HasPrefix(target, "#"), strings.HasPrefix(target, "/wiki/"):
		return false // an address
	case !strings.ContainsAny(target, `/\`):
		return false
	}
	p.path = target
	return true
}

// decode reads the rest of a data: URI (RFC 2397). One that is no image, or
// cannot be read, stays what it was.
func (p *picture) decode(rest string) bool {
	head, body, ok := strings.Cut(rest, ",")
	head, coded := strings.CutSuffix(head, ";base64")
	kind, _, err := mime.ParseMediaType(head)
	if !ok || err != nil || endings[kind] == "" {
		return false
	}
	if coded {
		body, err = url.PathUnescape(body)
		if err == nil {
			p.data, err = base64.StdEncoding.DecodeString(strings.TrimRight(body, "=") + strings.Repeat("=", (4-len(strings.TrimRight(body, "="))%4)%4))
		}
	} else {
		body, err = url.PathUnescape(body)
		p.data = []byte(body)
	}
	p.kind = kind
	return err == nil && len(p.data) > 0
}
