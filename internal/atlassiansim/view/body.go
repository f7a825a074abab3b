package view

import (
	"html"
	"html/template"
	"net/url"
	"slices"
	"strings"
)

// renderer turns a body into HTML, for people to look at.
type renderer struct {
	b     strings.Builder
	space string                      // key, for links that name none
	name  func(account string) string // of a person
}

// Body is a body in storage format as HTML. Nothing of it can do harm in a
// browser: elements and attributes that are not known are left out.
func Body(storage, space string, name func(account string) string) template.HTML {
	r := &renderer{space: space, name: name}
	r.all(parse(storage))
	return template.HTML(r.b.String()) //nolint:gosec // every text and attribute in it was escaped here
}

func (r *renderer) all(n *node) {
	for _, c := range n.below {
		r.one(c)
	}
}

func (r *renderer) write(parts ...string) {
	for _, p := range parts {
		r.b.WriteString(p)
	}
}

func (r *renderer) wrap(open string, n *node, closing string) {
	r.write(open)
	r.all(n)
	r.write(closing)
}

// same lists the elements that mean in HTML what they mean in storage format.
func same(name string) bool {
	return slices.Contains(strings.Fields("p h1 h2 h3 h4 h5 h6 ul ol li table thead tbody tr strong em u s sub sup code pre blockquote span b i small del ins"), name)
}

func (r *renderer) one(n *node) {
	switch {
	case n.name == "":
		r.write(html.EscapeString(n.text))
	case n.name == "root":
		r.all(n)
	case same(n.name):
		r.wrap("<"+n.name+">", n, "</"+n.name+">")
	case n.name == "th" || n.name == "td":
		r.wrap("<"+n.name+span(n, "colspan")+span(n, "rowspan")+">", n, "</"+n.name+">")
	case n.name == "hr" || n.name == "br":
		r.write("<" + n.name + ">")
	case n.name == "a":
		r.anchor(n)
	case n.name == "time":
		r.write("<time>", html.EscapeString(n.attr["datetime"]), "</time>")
	case n.name == "ac:structured-macro":
		r.macro(n)
	case strings.HasPrefix(n.name, "ac:task"):
		r.task(n)
	case n.name == "ac:link":
		r.link(n)
	case n.name == "ac:image":
		r.write(`<figure>`, html.EscapeString(n.attr["ac:alt"]))
		if caption := n.find("ac:caption"); caption != nil {
			r.wrap("<figcaption>", caption, "</figcaption>")
		}
		r.write("</figure>")
	case n.name == "ac:emoticon":
		r.write(html.EscapeString(n.attr["ac:emoji-fallback"]))
	case n.name == "ac:layout-section":
		r.wrap(`<div class="columns">`, n, "</div>")
	case n.name == "ac:layout-cell":
		r.wrap("<div>", n, "</div>")
	case slices.Contains([]string{"ac:layout", "ac:adf-extension", "ac:adf-content", "ac:inline-comment-marker", "ac:link-body", "ac:rich-text-body"}, n.name):
		r.all(n)
	case n.name == "ac:adf-node":
		r.wrap(`<div class="box">`, n, "</div>")
	}
}

// span is an attribute that counts columns or rows.
func span(n *node, name string) string {
	value := n.attr[name]
	if value == "" || len(value) > 2 || strings.Trim(value, "0123456789") != "" {
		return ""
	}
	return " " + name + "=" + value
}

func (r *renderer) anchor(n *node) {
	u, err := url.Parse(n.attr["href"])
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		r.all(n)
		return
	}
	r.wrap(`<a rel="noreferrer" href="`+html.EscapeString(u.String())+`">`, n, "</a>")
}

func (r *renderer) macro(n *node) {
	kind, title := n.attr["ac:name"], html.EscapeString(n.parameter("title"))
	body := n.find("ac:rich-text-body")
	if body == nil {
		body = &node{}
	}
	switch kind {
	case "code", "noformat":
		if title != "" {
			r.write(`<p class="caption">`, title, "</p>")
		}
		if text := n.find("ac:plain-text-body"); text != nil {
			r.write("<pre>", html.EscapeString(text.plain()), "</pre>")
		}
	case "info", "note", "warning", "tip", "panel":
		if title != "" {
			title = "<strong>" + title + "</strong>"
		}
		r.wrap(`<div class="box `+kind+`">`+title, body, "</div>")
	case "status":
		r.write(`<span class="lozenge `, strings.ToLower(html.EscapeString(n.parameter("colour"))), `">`, title, "</span>")
	case "expand":
		r.wrap("<details><summary>"+title+"</summary>", body, "</details>")
	case "details", "excerpt", "section", "column":
		r.all(body)
	case "toc", "children", "pagetree", "livesearch":
		// Made of other pages; what is below is listed at the end anyway.
	default:
		r.write(`<p class="macro">`, html.EscapeString(kind), "</p>")
	}
}

func (r *renderer) task(n *node) {
	switch n.name {
	case "ac:task-list":
		r.wrap(`<ul class="tasks">`, n, "</ul>")
	case "ac:task":
		r.wrap("<li>", n, "</li>")
	case "ac:task-status":
		r.write(map[bool]string{true: "☑ ", false: "☐ "}[n.plain() == "complete"])
	case "ac:task-body":
		r.all(n)
	}
}

// link is a link by title, to a space, or the mention of a person.
func (r *renderer) link(n *node) {
	text, address := "", ""
	if user := n.find("ri:user"); user != nil {
		r.write(`<span class="mention">@`, html.EscapeString(r.name(user.attr["ri:account-id"])), "</span>")
		return
	}
	space := n.find("ri:space")
	if page := n.find("ri:page"); page != nil {
		key := page.attr["ri:space-key"]
		if key == "" {
			key = r.space
		}
		text = page.attr["ri:content-title"]
		address = "/wiki/display/" + url.PathEscape(key) + "/" + url.QueryEscape(text)
	} else if space != nil {
		text = space.attr["ri:space-key"]
		address = "/wiki/spaces/" + url.PathEscape(text)
	}
	if body := n.find("ac:plain-text-link-body"); body != nil {
		text = body.plain()
	} else if body := n.find("ac:link-body"); body != nil {
		text = body.plain()
	}
	r.write(`<a href="`, html.EscapeString(address), `">`, html.EscapeString(text), "</a>")
}
