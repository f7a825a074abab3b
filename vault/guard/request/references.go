package request

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// references are the places that a part of an answer names.
type references struct {
	spaceIDs, keys, contents []string
	// links are keys of spaces in addresses. They may be aliases, so that they
	// can take something away and never show that something is allowed.
	links []string
	// files are attachments, of which policy has rules of its own.
	files []policy.File
	// strange is something that names a place in a way that is not understood.
	strange bool
}

func add(list *[]string, value string) {
	if !slices.Contains(*list, value) {
		*list = append(*list, value)
	}
}

// maxDepth limits how deep answers may be nested.
const maxDepth = 40

// placesOf finds all places that a value names, however deep. With space the
// value itself is a space.
func placesOf(value any, space bool) references {
	var r references
	if object, ok := value.(map[string]any); ok && space {
		r.space(object)
	}
	r.visit(value, 0)
	return r
}

func (r *references) visit(value any, depth int) {
	if depth > maxDepth {
		r.strange = true
		return
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			r.visit(item, depth+1)
		}
	case map[string]any:
		r.file(v)
		for name, member := range v {
			if slices.Contains(dropped(), name) {
				continue
			}
			r.member(name, member)
			if free := name == "value" || name == "body"; !free {
				r.visit(member, depth+1)
			}
		}
	}
}

// file adds an object that is an attachment, as v2 or v1 has it.
func (r *references) file(object map[string]any) {
	text := func(o map[string]any, name string) string {
		value, _ := o[name].(string) // absent: ""
		return value
	}
	more, _ := object["extensions"].(map[string]any) // absent: none
	if text(object, "type") != "attachment" && !strings.HasPrefix(text(object, "id"), "att") && text(object, "mediaType") == "" {
		return
	}
	f := policy.File{Name: text(object, "title"), MediaType: text(object, "mediaType")}
	if f.MediaType == "" {
		f.MediaType = text(more, "mediaType")
	}
	for _, of := range []map[string]any{object, more} {
		if size, ok := of["fileSize"].(json.Number); ok {
			f.Size, _ = size.Int64() // else it does not matter here
		}
	}
	r.files = append(r.files, f)
}

var (
	spaceIDName  = regexp.MustCompile(`spaceids?$`)
	spaceKeyName = regexp.MustCompile(`spacekeys?$`)
	contentName  = regexp.MustCompile(`(?:page|blogpost|content|container)ids?$`)
	// innate are names that the ones above fit, of what is always in the space of
	// the object that has them.
	innate = regexp.MustCompile(`^(?:parent|home|root|ancestor)pageid$|^customcontentid$|^parentcontentid$`)
)

// member looks at one member of an object.
func (r *references) member(name string, value any) {
	switch plain := strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(name)); {
	case plain == "space", plain == "spaces":
		r.spaceMember(value)
	case strings.HasSuffix(plain, "space"), strings.HasSuffix(plain, "spaces"):
		list, _ := value.([]any) // absent: one
		for _, item := range list {
			r.member("space", item)
		}
		if object, ok := value.(map[string]any); ok {
			r.space(object)
		}
	case slices.Contains([]string{"content", "container", "page", "blogpost"}, plain):
		r.content(value)
	case spaceIDName.MatchString(plain):
		r.each(value, &r.spaceIDs, digits)
	case spaceKeyName.MatchString(plain):
		r.each(value, &r.keys, spaceKey)
	case innate.MatchString(plain):
	case contentName.MatchString(plain):
		r.each(value, &r.contents, digits)
	default:
		if text, ok := value.(string); ok {
			r.link(plain, text)
		}
	}
}

// each adds a value, or those of a list. What is empty names nothing; what has
// not the form of a place is strange.
func (r *references) each(value any, to *[]string, form *regexp.Regexp) {
	switch v := value.(type) {
	case nil, bool:
	case []any:
		for _, item := range v {
			r.each(item, to, form)
		}
	case string:
		r.named(v, to, form)
	case json.Number:
		r.named(v.String(), to, form)
	default:
		r.strange = true
	}
}

func (r *references) named(text string, to *[]string, form *regexp.Regexp) {
	switch {
	case text == "" || text == "0":
	case form.MatchString(text):
		add(to, text)
	default:
		r.strange = true
	}
}

// spaceMember is what stands under the name space: an object, a key or an id, or
// a list of them.
func (r *references) spaceMember(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			r.spaceMember(item)
		}
	case map[string]any:
		r.space(v)
	case json.Number:
		r.named(v.String(), &r.spaceIDs, digits)
	case string:
		r.named(v, &r.keys, spaceKey)
	}
}

func (r *references) space(object map[string]any) {
	_, hasKey := object["key"]
	if hasKey {
		r.each(object["key"], &r.keys, spaceKey)
		return
	}
	r.each(object["id"], &r.spaceIDs, digits)
}

// content is an object that is a page or another thing with a place. One that
// says its space itself needs no look at its id. It may be a list of them.
func (r *references) content(value any) {
	list, _ := value.([]any) // absent: one
	for _, item := range list {
		r.content(item)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	kind, _ := object["type"].(string) // absent: as below
	_, hasSpace := object["space"].(map[string]any)
	_, hasSpaceID := object["spaceId"]
	_, hasKey := object["key"]
	switch {
	case hasSpace || hasSpaceID:
	case hasKey && kind != "page" && kind != "blogpost":
		r.each(object["key"], &r.keys, spaceKey)
	case kind == "" || kind == "page" || kind == "blogpost":
		r.each(object["id"], &r.contents, digits)
	}
}

var spaceInLink = regexp.MustCompile(`^(?:https?://[^/]+)?(?:/wiki)?/(?:spaces|display|rest/api/space)/([^/?#]+)`)

// link finds the space in a link. Texts of people are no links, whatever they
// begin with.
func (r *references) link(name, text string) {
	if name != "url" && name != "displayurl" && name != "webuilink" {
		return
	}
	found := spaceInLink.FindStringSubmatch(text)
	if found == nil {
		return
	}
	key, err := url.PathUnescape(found[1])
	if err != nil || !spaceKey.MatchString(key) {
		r.strange = true
		return
	}
	add(&r.links, key)
}

// dropped are members that are of no use here, or say more than they should: a
// query that was narrowed has the names of what was left out.
func dropped() []string {
	return []string{"_links", "_expandable", "ari", "base64EncodedAri", "downloadLink", "fileStoreId", "profilePicture", "cqlQuery", "mediaToken"}
}

// shown is a value without what is dropped.
func shown(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = shown(v[i])
		}
	case map[string]any:
		for _, name := range dropped() {
			delete(v, name)
		}
		for name, member := range v {
			v[name] = shown(member)
		}
	}
	return value
}
