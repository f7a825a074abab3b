package files

import (
	"encoding/base64"
	"mime"
	"net/url"
	"regexp"
	"strings"
)

// picture is an image of a text that has to be brought to the page.
type picture struct {
	from, to int    // where its destination stands, brackets included
	path     string // as it stands there; "" for data
	data     []byte // of a data: URI
	kind     string // media type of data
	name     string // of the attachment, once it is known
	size     int64  // likewise
}

var (
	// image is ![…](destination "title") on one line, as CommonMark has it, with
	// brackets in the description one deep.
	image = regexp.MustCompile(`!\[(?:[^\[\]\n\\]|\\.|\[[^\[\]\n]*\])*\]\([ \t]*(<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)`)
	fence = regexp.MustCompile("^ {0,3}(`{3,}|~{3,})")
	drive = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
	other = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)
)

// endings are those of the images that a text may bring along as data.
var endings = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg", "image/bmp": ".bmp", "image/tiff": ".tif",
}

// pictures finds the images that a text brings along, outside of code; of too
// many, one more than there may be.
func pictures(markdown string) []picture {
	if !strings.Contains(markdown, "![") {
		return nil
	}
	var found []picture
	at, closing := 0, ""
	for line := range strings.SplitAfterSeq(markdown, "\n") {
		if len(found) > maxImages {
			break
		}
		mark := fence.FindStringSubmatch(line)
		switch {
		case closing != "":
			if mark != nil && strings.HasPrefix(mark[1], closing) && strings.Trim(line, " \t\r\n"+closing[:1]) == "" {
				closing = ""
			}
		case mark != nil:
			closing = mark[1]
		default:
			found = append(found, inLine(line, at)...)
		}
		at += len(line)
	}
	return found
}

// inLine finds the images of one line, which begins at.
func inLine(line string, at int) []picture {
	var found []picture
	from, ticks, counted := 0, 0, 0 // ticks are those before counted
	for len(found) <= maxImages {
		m := image.FindStringSubmatchIndex(line[from:])
		if m == nil {
			break
		}
		begins, dest, ends := from+m[0], from+m[2], from+m[3]
		from += m[1]
		ticks += strings.Count(line[counted:begins], "`")
		counted = begins
		if ticks%2 == 1 || begins > 0 && line[begins-1] == '\\' {
			continue // within code, or no image
		}
		p := picture{from: at + dest, to: at + ends}
		if p.read(strings.TrimSuffix(strings.TrimPrefix(line[dest:ends], "<"), ">")) {
			found = append(found, p)
		}
	}
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
