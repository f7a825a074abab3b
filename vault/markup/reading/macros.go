package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// confluence adds an element with a prefix.
func (b *builder) confluence(n *storage.Node, c context) {
	switch n.Name {
	case "ac:structured-macro", "ac:macro":
		b.macro(n, c)
	case "ac:link":
		b.internal(n, c)
	case "ac:image":
		b.picture(n, c)
	case "ac:emoticon":
		b.words(emoji(n), c)
	case "ac:task-list":
		b.tasks(n)
	case "ac:adf-extension":
		b.extension(n, c)
	case "ac:layout", "ac:layout-section", "ac:layout-cell":
		b.r.flatten("layout")
		b.apart(n, c)
	case "ac:inline-comment-marker":
		b.r.flatten("inline comment")
		b.inside(n, c)
	case "ac:placeholder":
		b.token("placeholder", n.Content(), c)
	case "ac:rich-text-body", "ac:adf-content", "ac:task-body", "ac:caption":
		b.apart(n, c)
	case "ri:page", "ri:blog-post", "ri:attachment", "ri:space", "ri:content-entity", "ri:url", "ri:user":
		address, text := b.resource(n)
		b.token("resource", address+" "+text, c)
		b.inside(n, c)
	default:
		b.inside(n, c)
	}
}

// apart adds the inside of n between paragraph ends.
func (b *builder) apart(n *storage.Node, c context) {
	b.flush()
	b.inside(n, c)
	b.flush()
}

// macro adds ac:structured-macro.
func (b *builder) macro(n *storage.Node, c context) {
	switch name := n.Attr("ac:name"); name {
	case "code":
		b.add(codeBlock(n))
	case "noformat":
		b.add(block{kind: code, name: "noformat", info: quoted("title", parameter(n, "title")), code: body(n)})
	case "info", "note", "tip", "warning", "panel":
		b.add(block{kind: alert, name: name, title: oneLine(parameter(n, "title")), kids: b.r.bodyBlocks(n)})
	case "expand":
		b.add(block{kind: details, title: oneLine(parameter(n, "title")), kids: b.r.bodyBlocks(n)})
	case "status":
		b.status(n, c)
	case "excerpt", "section", "column", "details":
		b.r.flatten(frame(name))
		b.flush()
		b.blocks = append(b.blocks, b.r.bodyBlocks(n)...)
	default:
		b.other(n, name, c)
	}
}

// frame is what people call the frame that a macro puts round its body.
func frame(macro string) string {
	switch macro {
	case "details":
		return "page properties"
	case "section", "column":
		return "layout"
	}
	return macro
}

// bodyBlocks gathers everything in a macro but its parameters.
func (r *reader) bodyBlocks(n *storage.Node) []block {
	b := builder{r: r}
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" {
			continue
		}
		if child.Kind == storage.Element && child.Name == "ac:plain-text-body" {
			b.add(block{kind: code, code: child.Content()})
			continue
		}
		b.walk(child, context{})
	}
	b.flush()
	return b.blocks
}

// other adds a macro without Markdown form as a placeholder, and around its body, if it has one, as two.
func (b *builder) other(n *storage.Node, name string, c context) {
	if name == "" {
		name = "macro"
	}
	b.token(name, b.meaning(n), c)
	inner := b.r.bodyBlocks(n)
	if len(inner) == 0 {
		return
	}
	b.enclose(name, inner)
}

// enclose puts the end of the last placeholder's construct behind the blocks of its body.
func (b *builder) enclose(name string, inner []block) {
	number := b.r.lost[len(b.r.lost)-1]
	_, number, _ = strings.Cut(number, "#")
	number, _, _ = strings.Cut(strings.TrimSuffix(number, "]]"), " ")
	// The body may hold placeholders of its own; this one was numbered before them.
	for _, made := range inner {
		b.add(made)
	}
	b.flush()
	b.span(span{kind: token, text: "/confluence:" + word(name) + "#" + number})
	b.flush()
}

// meaning lists a macro's parameters as far as they help: the nameless one first, ids left out.
func (b *builder) meaning(n *storage.Node) string {
	var first, rest []string
	for child := n.First; child != nil; child = child.Next {
		if child.Kind != storage.Element || child.Name != "ac:parameter" {
			continue
		}
		name, value := child.Attr("ac:name"), b.value(child)
		switch {
		case value == "":
		case name == "" || name == "key" || name == "jqlQuery":
			first = append(first, value)
		case name == "serverId" || name == "columnIds":
		default:
			rest = append(rest, name+"="+value)
		}
	}
	return strings.Join(append(first, rest...), " ")
}

// value is a parameter as text: its words, or what it points to.
func (b *builder) value(n *storage.Node) string {
	var out []string
	var walk func(*storage.Node)
	walk = func(n *storage.Node) {
		for c := n.First; c != nil; c = c.Next {
			if c.Kind != storage.Element {
				out = append(out, c.Value())
				continue
			}
			if address, _ := b.resource(c); address != "" {
				out = append(out, address)
				continue
			}
			walk(c)
		}
	}
	walk(n)
	text := oneLine(strings.Join(out, " "))
	if strings.HasPrefix(text, "confluence-page:") && !strings.Contains(text, "%") {
		text = strings.TrimPrefix(text, "confluence-page:")
	}
	return text
}

func parameter(n *storage.Node, name string) string {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" && child.Attr("ac:name") == name {
			return child.Content()
		}
	}
	return ""
}

func body(n *storage.Node) string {
	if text := n.Child("ac:plain-text-body"); text != nil {
		return text.Content()
	}
	if rich := n.Child("ac:rich-text-body"); rich != nil {
		return plain(rich)
	}
	return ""
}

// codeBlock reads the code macro. What a fence has no place for stands behind the language, as words that the way back
// understands.
func codeBlock(n *storage.Node) block {
	made := block{kind: code, name: strings.TrimSpace(parameter(n, "language")), code: body(n)}
	if made.name == "" {
		made.name = strings.TrimSpace(parameter(n, "lang"))
	}
	if strings.ContainsAny(made.name, " \t\n`~\"=\\&") {
		made.info, made.name = quoted("language", made.name), ""
	}
	info := []string{made.info, quoted("title", parameter(n, "title"))}
	if parameter(n, "collapse") == "true" {
		info = append(info, "collapse")
	}
	if parameter(n, "linenumbers") == "true" {
		info = append(info, "linenumbers")
	}
	if first := strings.TrimSpace(parameter(n, "firstline")); first != "" && first != "1" {
		info = append(info, quoted("firstline", first))
	}
	info = append(info, quoted("theme", parameter(n, "theme")))
	made.info = oneLine(strings.Join(info, " "))
	return made
}

// quoted is name="value", or nothing.
func quoted(name, value string) string {
	if value = oneLine(value); value == "" {
		return ""
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(value) + `"`
}

// status adds a lozenge as a link that names its colour.
func (b *builder) status(n *storage.Node, c context) {
	title := oneLine(parameter(n, "title"))
	colour := oneLine(parameter(n, "colour"))
	if colour == "" {
		colour = "Grey"
	}
	if title == "" {
		title = colour
	}
	if parameter(n, "subtle") == "true" {
		colour += "?subtle"
	}
	c.link = &link{"confluence-status:" + colour}
	b.words(title, c)
}

// tasks adds ac:task-list. A list inside the list belongs to the task before it.
func (b *builder) tasks(n *storage.Node) {
	made := block{kind: list}
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:task" {
			made.kids = append(made.kids, b.r.task(child))
			continue
		}
		stray := builder{r: b.r}
		stray.walk(child, context{})
		stray.flush()
		switch last := len(made.kids) - 1; {
		case len(stray.blocks) == 0:
		case last < 0:
			b.flush()
			b.blocks = append(b.blocks, stray.blocks...)
		default:
			made.kids[last].kids = append(made.kids[last].kids, stray.blocks...)
		}
	}
	if len(made.kids) > 0 {
		b.add(made)
	}
}

func (r *reader) task(n *storage.Node) block {
	made := block{kind: item, task: ' '}
	inner := builder{r: r}
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind == storage.Element && (child.Name == "ac:task-id" || child.Name == "ac:task-uuid"):
		case child.Kind == storage.Element && child.Name == "ac:task-status":
			if strings.TrimSpace(child.Content()) == "complete" {
				made.task = 'x'
			}
		default:
			inner.walk(child, context{})
		}
	}
	inner.flush()
	made.kids = inner.blocks
	return made
}
