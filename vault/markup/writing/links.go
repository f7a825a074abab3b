package writing

import (
	"net/url"
	"path"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// resource is something in Confluence that a link or an image leads to.
type resource struct {
	xml    string // its ri: element; "" for an anchor on the page itself
	anchor string
	text   string // what Confluence shows for a link without text
	person bool   // a mention, which has no text of its own
}

// link writes spans that lead to target. outer are the marks that are open.
func (w *writer) link(target string, spans []page.Span, outer page.Marks) {
	if colour, ok := strings.CutPrefix(target, "confluence-status:"); ok {
		w.status(colour, plain(spans))
		return
	}
	if found, ok := resolve(target); ok {
		w.internal(found, spans, outer)
		return
	}
	inside := unlinked(spans)
	if page.Dangerous(target) || strings.HasPrefix(target, "confluence-") {
		w.marked(inside, outer)
		return
	}
	w.str(`<a href="`)
	w.text(target)
	w.str(`">`)
	w.marked(inside, outer)
	w.str("</a>")
}

// unlinked is a copy of spans without their link.
func unlinked(spans []page.Span) []page.Span {
	out := append([]page.Span(nil), spans...)
	for i := range out {
		out[i].Link = nil
	}
	return out
}

// internal writes ac:link. Text that Confluence shows anyway is left out, so that it follows when a page is renamed.
func (w *writer) internal(to resource, spans []page.Span, outer page.Marks) {
	w.str("<ac:link")
	if to.anchor != "" {
		w.str(` ac:anchor="`)
		w.text(to.anchor)
		w.str(`"`)
	}
	w.str(">" + to.xml)
	if bare := plain(spans) == to.text && len(spans) == 1 && spans[0].Kind == page.Words; !bare && !to.person {
		w.str("<ac:link-body>")
		w.marked(unlinked(spans), outer)
		w.str("</ac:link-body>")
	}
	w.str("</ac:link>")
}

// resolve reads the addresses that vault/markup/reading makes.
func resolve(target string) (resource, bool) {
	scheme, rest, ok := strings.Cut(target, ":")
	if anchor, local := strings.CutPrefix(target, "#"); local && anchor != "" {
		anchor = unescape(anchor)
		return resource{anchor: anchor, text: anchor}, true
	}
	kind, ours := strings.CutPrefix(scheme, "confluence-")
	rest, anchor, _ := strings.Cut(rest, "#")
	if !ok || !ours || rest == "" {
		return resource{}, false
	}
	found := resource{anchor: unescape(anchor)}
	switch kind {
	case "page":
		space, title := place(rest)
		found.xml, found.text = pageElement(space, title), title
	case "blog":
		found.xml, found.text = blog(rest)
	case "attachment":
		found.xml, found.text = attachment(rest)
	case "space":
		found.text = unescape(rest)
		found.xml = element("ri:space", "ri:space-key", found.text)
	case "content":
		found.text = unescape(rest)
		found.xml = element("ri:content-entity", "ri:content-id", found.text)
	case "user":
		found.xml, found.person = element("ri:user", "ri:account-id", unescape(rest)), true
	case "userkey":
		found.xml, found.person = element("ri:user", "ri:userkey", unescape(rest)), true
	case "username":
		found.xml, found.person = element("ri:user", "ri:username", unescape(rest)), true
	default:
		return resource{}, false
	}
	return found, found.person || found.text != "" // what has no name is nothing
}

// place parts SPACE/Title.
func place(text string) (space, title string) {
	if space, title, ok := strings.Cut(text, "/"); ok {
		return unescape(space), unescape(title)
	}
	return "", unescape(text)
}

// pageElement is ri:page; without a space it is one of the page's own.
func pageElement(space, title string) string {
	if space == "" {
		return element("ri:page", "ri:content-title", title)
	}
	return element("ri:page", "ri:space-key", space, "ri:content-title", title)
}

// blog reads [SPACE/]2026/05/01/Title.
func blog(text string) (xml, title string) {
	var space string
	if first, rest, ok := strings.Cut(text, "/"); ok && strings.Trim(first, "0123456789") != "" {
		space, text = first, rest
	}
	day, title := "", text
	if parts := strings.SplitN(text, "/", 4); len(parts) == 4 {
		day, title = strings.Join(parts[:3], "/"), parts[3]
	}
	title = unescape(title)
	attributes := []string{"ri:content-title", title}
	if day != "" {
		attributes = append(attributes, "ri:posting-day", unescape(day))
	}
	if space != "" {
		attributes = append([]string{"ri:space-key", unescape(space)}, attributes...)
	}
	return element("ri:blog-post", attributes...), title
}

// attachment reads name[?page=SPACE/Title].
func attachment(text string) (xml, name string) {
	name, page, other := strings.Cut(text, "?page=")
	name = unescape(name)
	xml = element("ri:attachment", "ri:filename", name)
	if other {
		xml = strings.TrimSuffix(xml, " />") + ">" + pageElement(place(page)) + "</ri:attachment>"
	}
	return xml, name
}

// element is an empty element with its attributes, by name and value.
func element(name string, attributes ...string) string {
	var w writer
	w.str("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		w.str(" " + attributes[i] + `="`)
		w.text(attributes[i+1])
		w.str(`"`)
	}
	w.str(" />")
	return w.out.String()
}

// unescape resolves percent-encoding; what is not valid stays as it is.
func unescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// picture writes ac:image. An address without a scheme names an attachment of the page.
func (w *writer) picture(i *page.Image) {
	w.str("<ac:image")
	width, height, _ := strings.Cut(i.Size, "x")
	for _, a := range [][2]string{{"ac:alt", i.Alt}, {"ac:width", width}, {"ac:height", height}} {
		if a[1] != "" {
			w.str(" " + a[0] + `="`)
			w.text(a[1])
			w.str(`"`)
		}
	}
	w.str(">")
	found, ok := resolve(i.Target)
	switch {
	case ok && found.xml != "":
		w.str(found.xml)
	case strings.Contains(i.Target, ":") || strings.HasPrefix(i.Target, "/"):
		w.str(element("ri:url", "ri:value", i.Target))
	default:
		w.str(element("ri:attachment", "ri:filename", path.Base(unescape(i.Target))))
	}
	if i.Caption != "" {
		w.str("<ac:caption><p>")
		w.text(i.Caption)
		w.str("</p></ac:caption>")
	}
	w.str("</ac:image>")
}
