package browser

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// document is a page taken apart.
type document struct {
	Page
	forms   []form
	refresh string // where the page sends the browser by itself; absolute
	wait    time.Duration
}

type form struct {
	method, action string
	fields         url.Values // without buttons
	offered        url.Values // choices of which one must be taken
	buttons        []button
}

type button struct {
	name, value, text, class string
	action                   string // where it sends the form; "" leaves that to the form
	person                   string // the account that a switch of accounts leaves
}

func parse(p Page) (document, error) {
	d := document{Page: p}
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		return d, err
	}
	d.walk(root, nil)
	return d, nil
}

// walk collects forms and the refresh below n. In is the form around n.
func (d *document) walk(n *html.Node, in *form) {
	if n.Type == html.ElementNode {
		switch n.Data {
		case "meta":
			if strings.EqualFold(attribute(n, "http-equiv"), "refresh") && d.refresh == "" {
				d.readRefresh(attribute(n, "content"))
			}
		case "form":
			f := form{method: strings.ToUpper(attribute(n, "method")), action: d.resolve(attribute(n, "action")), fields: url.Values{}, offered: url.Values{}}
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				d.walk(c, &f)
			}
			for name, values := range f.offered {
				if !f.fields.Has(name) {
					f.fields.Set(name, values[0]) // the person takes the first
				}
			}
			d.forms = append(d.forms, f)
			return
		case "input", "button", "select", "textarea":
			if in != nil {
				in.control(n)
				in.target(d, n)
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		d.walk(c, in)
	}
}

func attribute(n *html.Node, name string) string {
	text, _ := lookup(n, name)
	return text
}

func lookup(n *html.Node, name string) (string, bool) {
	i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
	if i < 0 {
		return "", false
	}
	return n.Attr[i].Val, true
}

// readRefresh reads "2; url=/next".
func (d *document) readRefresh(text string) {
	seconds, rest, _ := strings.Cut(text, ";")
	n, err := strconv.ParseFloat(strings.TrimSpace(seconds), 64)
	rest = strings.TrimSpace(rest)
	if err != nil || n < 0 || n > 3600 {
		return
	}
	d.wait, d.refresh = time.Duration(n*float64(time.Second)), d.URL
	if len(rest) > 4 && strings.EqualFold(rest[:4], "url=") {
		d.refresh = d.resolve(strings.Trim(rest[4:], `'" `))
	}
}

func (d *document) resolve(link string) string {
	base, err := url.Parse(d.URL)
	if err != nil {
		return link
	}
	u, err := base.Parse(link)
	if err != nil {
		return link
	}
	return u.String()
}

// control adds a control to the form, with the value it has on the page.
func (f *form) control(n *html.Node) {
	if _, disabled := lookup(n, "disabled"); disabled {
		return
	}
	name, kind := attribute(n, "name"), strings.ToLower(attribute(n, "type"))
	switch {
	case n.Data == "button" && (kind == "" || kind == "submit"), n.Data == "input" && kind == "submit":
		b := button{name: name, value: attribute(n, "value"), text: text(n), class: attribute(n, "class"), person: attribute(n, "data-person")}
		if n.Data == "input" {
			b.text = b.value
		}
		f.buttons = append(f.buttons, b)
	case name == "" || n.Data == "button":
	case kind == "checkbox" || kind == "radio":
		value, ok := lookup(n, "value")
		if !ok {
			value = "on"
		}
		if _, checked := lookup(n, "checked"); checked {
			f.fields.Add(name, value)
		}
		if _, required := lookup(n, "required"); required {
			f.offered.Add(name, value)
		}
	case n.Data == "select":
		f.fields.Add(name, selected(n))
	case n.Data == "textarea":
		f.fields.Add(name, text(n))
	default:
		f.fields.Add(name, attribute(n, "value"))
	}
}

// target gives the button that was just added the address it names itself.
func (f *form) target(d *document, n *html.Node) {
	if action, ok := lookup(n, "formaction"); ok && len(f.buttons) > 0 {
		f.buttons[len(f.buttons)-1].action = d.resolve(action)
	}
}

// selected is the value of a select: the chosen option, or the first.
func selected(n *html.Node) string {
	value, found := "", false
	for c := range n.Descendants() {
		if c.Type != html.ElementNode || c.Data != "option" {
			continue
		}
		_, chosen := lookup(c, "selected")
		if !chosen && found {
			continue
		}
		v, ok := lookup(c, "value")
		if !ok {
			v = text(c)
		}
		if value, found = v, true; chosen {
			break
		}
	}
	return value
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// submit is the request that clicking a button sends.
func (f form) submit(d document, b button) request {
	values := url.Values{}
	for name, all := range f.fields {
		values[name] = slices.Clone(all)
	}
	if b.name != "" {
		values.Add(b.name, b.value)
	}
	address := f.action
	if b.action != "" {
		address = b.action
	}
	if f.method == http.MethodPost {
		return request{method: http.MethodPost, address: address, form: values, from: d.URL}
	}
	address, _, _ = strings.Cut(address, "?")
	return request{method: http.MethodGet, address: address + "?" + values.Encode(), from: d.URL}
}

// click finds what the person clicks on a page, in this order: the way to
// another account if the wrong one is signed in, the account at a login, the
// answer to a consent, and a button to go on. False if there is nothing.
func (d document) click(c Choose) (request, bool) {
	decision := map[bool]string{true: "allow", false: "deny"}[c.Allow]
	wanted := []func(button) bool{
		func(b button) bool { return b.person != "" && c.Person != "" && b.person != c.Person },
		func(b button) bool { return b.name == "person" && b.value == c.Person },
		func(b button) bool { return b.name == "decision" && b.value == decision },
		func(b button) bool { return strings.EqualFold(b.text, "continue") },
		func(b button) bool {
			return slices.Contains(strings.Fields(b.class), "primary") && b.name != "decision"
		},
	}
	for _, want := range wanted {
		for _, f := range d.forms {
			if i := slices.IndexFunc(f.buttons, want); i >= 0 {
				return f.submit(d, f.buttons[i]), true
			}
		}
	}
	return request{}, false
}
