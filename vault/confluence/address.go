package confluence

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Errors of [ParseAddress].
var (
	// ErrAddress says that a text names no page in any form we know.
	ErrAddress = errors.New("not a page id or page address")
	// ErrForeign says that an address is on none of the given sites.
	ErrForeign = errors.New("an address of another site")
)

// Address is what a person copies to name a page: an id, or space and title
// (old /display links).
type Address struct {
	Site  int // index into the given sites; -1 where the text does not say
	ID    string
	Space string
	Title string
}

var (
	pagePath    = regexp.MustCompile(`^/wiki/spaces/[^/]+/(?:pages|blog/\d+/\d+/\d+)/(?:edit(?:-v2)?/)?(\d{1,19})(?:/.*)?$`)
	actionPath  = regexp.MustCompile(`^/wiki/(?:spaces/[^/]+/)?pages/(?:viewpage|resumedraft|editpage|releaseview)\.action$`)
	tinyPath    = regexp.MustCompile(`^/wiki/x/([A-Za-z0-9_-]{1,11})/?$`)
	displayPath = regexp.MustCompile(`^/wiki/display/([^/]+)/([^/]+)/?$`)
)

// ParseAddress reads a bare id, an address on one of sites (their base URLs),
// or the path of one (/wiki/…). Tiny links are decoded here, without asking
// anyone.
func ParseAddress(text string, sites []string) (Address, error) {
	text = strings.TrimSpace(text)
	if ValidPageID(text) {
		return Address{Site: -1, ID: text}, nil
	}
	if len(text) > 4096 {
		return Address{}, ErrAddress
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Host == "" && !strings.HasPrefix(text, "/wiki/") {
		return Address{}, ErrAddress
	}
	found := Address{Site: -1}
	if u.Host != "" {
		if found.Site = siteOf(u, sites); found.Site < 0 {
			return Address{}, ErrForeign
		}
	}
	switch path := u.EscapedPath(); {
	case pagePath.MatchString(path):
		found.ID = pagePath.FindStringSubmatch(path)[1]
	case actionPath.MatchString(path):
		found.ID = u.Query().Get("pageId")
		if found.ID == "" {
			found.ID = u.Query().Get("draftId")
		}
	case tinyPath.MatchString(path):
		found.ID = TinyID(tinyPath.FindStringSubmatch(path)[1])
	case displayPath.MatchString(path):
		parts := displayPath.FindStringSubmatch(path)
		found.Space, err = url.PathUnescape(parts[1])
		if err == nil {
			found.Title, err = url.QueryUnescape(parts[2]) // spaces are + here
		}
	}
	if err != nil || found.ID != "" && !ValidPageID(found.ID) || found.ID == "" && found.Title == "" {
		return Address{}, ErrAddress
	}
	return found, nil
}

func siteOf(u *url.URL, sites []string) int {
	for i, base := range sites {
		b, err := url.Parse(base)
		if err == nil && b.Host != "" && strings.EqualFold(u.Host, b.Host) && strings.EqualFold(u.Scheme, b.Scheme) {
			return i
		}
	}
	return -1
}

// TinyID decodes the code of a tiny link (/x/CODE) to the id of its page, or
// "". The code is base64 of the id's little-endian bytes, with - for / and _
// for +, and without the trailing A that zero bytes become.
func TinyID(code string) string {
	if len(code) == 0 || len(code) > 11 {
		return ""
	}
	text := strings.NewReplacer("-", "/", "_", "+").Replace(code) + strings.Repeat("A", 11-len(code)) + "="
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 8 {
		return ""
	}
	id := binary.LittleEndian.Uint64(raw)
	if id == 0 || id > 1<<63-1 {
		return ""
	}
	return strconv.FormatUint(id, 10)
}

// TinyCode is the inverse of [TinyID].
func TinyCode(id uint64) string {
	code := base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, id))
	code = strings.TrimRight(strings.TrimRight(code, "="), "A")
	return strings.NewReplacer("/", "-", "+", "_").Replace(code)
}
