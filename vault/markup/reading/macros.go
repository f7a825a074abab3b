package reading

import (
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// confluence adds an element with a prefix.
func (b *builder) confluence(n *storage.Node, c setting) {
	switch n.Name {
	case "ac:structured-macro", "ac:macro":
		b.macro(n, c)
	case "ac:link":
		b.internal(n, c)
	case "ac:image":
		if standsAlone(n) {
			b.flush()
			defer b.flush()
		}
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
		b.token("placeholder", n.Content(), n.Raw(), c)
	case "ac:rich-text-body", "ac:adf-content", "ac:task-body", "ac:caption":
		b.apart(n, c)
	case "ri:page", "ri:blog-post", "ri:attachment", "ri:space", "ri:content-entity", "ri:url", "ri:user":
		address, text := b.resource(n)
		b.token("resource", address+" "+text, "", c)
		b.inside(n, c)
	default:
		_, name, _ := strings.Cut(n.Name, ":")
		b.token(name, "", "", c)
		b.inside(n, c)
	}
}

// apart adds the inside of n between paragraph ends.
func (b *builder) apart(n *storage.Node, c setting) {
	b.flush()
	b.inside(n, c)
	b.flush()
}

// macro adds ac:structured-macro.
func (b *builder) macro(n *storage.Node, c setting) {
	switch name := n.Attr("ac:name"); name {
	case "code":
		b.add(codeBlock(n))
	case "noformat":
		b.add(page.Block{Kind: page.Code, Name: "noformat", Info: quoted("title", parameter(n, "title")), Code: body(n)})
	case "info", "note", "tip", "warning", "panel":
		b.styled(n)
		b.add(page.Block{Kind: page.Alert, Name: name, Title: page.OneLine(parameter(n, "title")), Kids: b.r.bodyBlocks(n)})
	case "expand":
		b.add(page.Block{Kind: page.Details, Title: page.OneLine(parameter(n, "title")), Kids: b.r.bodyBlocks(n)})
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
func (r *reader) bodyBlocks(n *storage.Node) []page.Block {
	b := builder{r: r}
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" {
			continue
		}
		if child.Kind == storage.Element && child.Name == "ac:plain-text-body" {
			b.add(page.Block{Kind: page.Code, Code: lineEnds(child.Content())})
			continue
		}
		b.walk(child, setting{})
	}
	b.flush()
	return b.blocks
}

// other adds a macro without Markdown form as a placeholder, and around its body, if it has one, as two.
func (b *builder) other(n *storage.Node, name string, c setting) {
	if name == "" {
		name = "macro"
	}
	alone := standsAlone(n)
	if alone {
		b.flush()
	}
	number := b.token(name, b.meaning(n), n.Raw(), c)
	b.enclose(name, number, b.r.bodyBlocks(n))
	if alone {
		b.flush()
	}
}

// standsAlone reports whether a construct stands between blocks rather than in a paragraph.
func standsAlone(n *storage.Node) bool {
	if n.Parent == nil || n.Parent.Kind == storage.Root {
		return true
	}
	switch n.Parent.Name {
	case "ac:layout-cell", "ac:rich-text-body", "ac:adf-content", "blockquote":
		return true
	}
	return false
}

// enclose puts the blocks of a body behind the placeholder of that number, and its end behind them.
func (b *builder) enclose(name string, number int, inner []page.Block) {
	if len(inner) == 0 {
		return
	}
	b.r.lost[number-1].Original = ""
	b.flush()
	b.blocks = append(b.blocks, inner...)
	b.span(page.Span{Kind: page.Token, Text: "/confluence:" + word(name) + "#" + strconv.Itoa(number)})
	b.flush()
}

// styled notes what a panel has beside its title: colours, icons.
func (b *builder) styled(n *storage.Node) {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" && child.Attr("ac:name") != "title" {
			b.r.flatten("panel style")
		}
	}
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
	text := page.OneLine(strings.Join(out, " "))
	if strings.HasPrefix(text, "confluence-page:") && !strings.Contains(text, "%") {
		text = strings.TrimPrefix(text, "confluence-page:")
	}
	return text
}

// parameter is the text of a macro's parameter.
func parameter(n *storage.Node, name string) string {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" && child.Attr("ac:name") == name {
			return child.Content()
		}
	}
	return ""
}

// body is the text in a macro, without markup.
func body(n *storage.Node) string {
	if text := n.Child("ac:plain-text-body"); text != nil {
		return lineEnds(text.Content())
	}
	if rich := n.Child("ac:rich-text-body"); rich != nil {
		return lineEnds(plain(rich))
	}
	return ""
}

// lineEnds makes all line ends alike.
func lineEnds(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// codeBlock reads the code macro. What a fence has no place for stands behind the language, as words that the way back
// understands.
func codeBlock(n *storage.Node) page.Block {
	made := page.Block{Kind: page.Code, Name: strings.TrimSpace(parameter(n, "language")), Code: body(n)}
	if made.Name == "" {
		made.Name = strings.TrimSpace(parameter(n, "lang"))
	}
	if strings.ContainsAny(made.Name, " \t\n`~\"=\\&") {
		made.Info, made.Name = quoted("language", made.Name), ""
	}
	info := []string{made.Info, quoted("title", parameter(n, "title"))}
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
	made.Info = page.OneLine(strings.Join(info, " "))
	return made
}

// quoted is name="value", or nothing.
func quoted(name, value string) string {
	if value = page.OneLine(value); value == "" {
		return ""
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(value) + `"`
}

// status adds a lozenge as a link that names its colour.
func (b *builder) status(n *storage.Node, c setting) {
	title := page.OneLine(parameter(n, "title"))
	colour := page.OneLine(parameter(n, "colour"))
	if colour == "" {
		colour = "Grey"
	}
	if title == "" {
		title = colour
	}
	if c.link != nil { // a link cannot hold another
		b.token("status", title+" "+colour, n.Raw(), c)
		return
	}
	if parameter(n, "subtle") == "true" {
		colour += "?subtle"
	}
	c.link = &page.Link{Target: "confluence-status:" + colour}
	b.words(title, c)
}

// tasks adds ac:task-list. A list inside the list belongs to the task before it.
func (b *builder) tasks(n *storage.Node) {
	made := page.Block{Kind: page.List}
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:task" {
			made.Kids = append(made.Kids, b.r.task(child))
			continue
		}
		stray := builder{r: b.r}
		stray.walk(child, setting{})
		stray.flush()
		switch last := len(made.Kids) - 1; {
		case len(stray.blocks) == 0:
		case last < 0:
			b.flush()
			b.blocks = append(b.blocks, stray.blocks...)
		default:
			made.Kids[last].Kids = append(made.Kids[last].Kids, stray.blocks...)
		}
	}
	if len(made.Kids) > 0 {
		b.add(made)
	}
}

// task gathers one task. Its number means nothing to people and is left out.
func (r *reader) task(n *storage.Node) page.Block {
	made := page.Block{Kind: page.Item, Task: ' '}
	inner := builder{r: r}
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind == storage.Element && (child.Name == "ac:task-id" || child.Name == "ac:task-uuid"):
		case child.Kind == storage.Element && child.Name == "ac:task-status":
			if strings.TrimSpace(child.Content()) == "complete" {
				made.Task = 'x'
			}
		default:
			inner.walk(child, setting{})
		}
	}
	inner.flush()
	made.Kids = inner.blocks
	return made
}
