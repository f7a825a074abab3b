package resources

import (
	"net/url"
	"regexp"
	"strings"
)

const scheme = "confluence"

// The kinds of resources, as they stand in an address.
const (
	pages       = "pages"
	spaces      = "spaces"
	attachments = "attachments"
)

// address is what confluence://{site}/{kind}/{id} names.
type address struct {
	site, kind, id string
}

// Page returns the address of a page.
func Page(site, id string) string { return address{site, pages, id}.String() }

// String writes a as it is read.
func (a address) String() string {
	return scheme + "://" + url.PathEscape(a.site) + "/" + a.kind + "/" + url.PathEscape(a.id)
}

// slug is what may follow the id of a page, for people to read: 123-the-title.
var slug = regexp.MustCompile(`^([0-9]+)(?:-[^/]*)?$`)

// parse reads an address. It need not be url-safe in every part that clients
// leave as it is, but each part is there and there are no others.
func parse(uri string) (address, bool) {
	rest, ok := strings.CutPrefix(uri, scheme+"://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || len(uri) > 2000 {
		return address{}, false
	}
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "" || strings.ContainsAny(plain, "/?#") {
			return address{}, false
		}
		parts[i] = plain
	}
	a := address{parts[0], parts[1], parts[2]}
	if a.kind == pages {
		found := slug.FindStringSubmatch(a.id)
		if found == nil {
			return address{}, false
		}
		a.id = found[1]
	}
	return a, true
}

// dashes is what a title has no place for in an address.
var dashes = regexp.MustCompile(`[^a-z0-9]+`)

// Slug writes the id of a page with its title behind, as far as an address can
// have it.
func Slug(id, title string) string {
	words := strings.Trim(dashes.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(words) > 60 {
		words = strings.TrimRight(words[:60], "-")
	}
	if words == "" {
		return id
	}
	return id + "-" + words
}
