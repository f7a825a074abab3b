package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/address"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
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
		if macro.StandsAlone(n) {
			b.flush()
			defer b.flush()
		}
		b.picture(n, c)
	case "ac:emoticon":
		b.emoticon(n, c)
	case "ac:task-list":
		b.tasks(n)
	case "ac:adf-extension":
		b.extension(n, c)
	case "ac:layout-section":
		b.bodied(n, n, "layout-section", n.Attr("ac:type"), setting{})
	case "ac:layout", "ac:layout-cell":
		b.bodied(n, n, strings.TrimPrefix(n.Name, "ac:"), "", setting{})
	case "ac:inline-comment-marker":
		b.r.flatten("inline comment")
		b.inside(n, c)
	case "ac:placeholder":
		b.token("placeholder", n.Content(), n.Raw(), c)
	case "ac:rich-text-body", "ac:adf-content", "ac:task-body", "ac:caption":
		b.apart(n, c)
	case "ri:page", "ri:blog-post", "ri:attachment", "ri:space", "ri:content-entity", "ri:url", "ri:user":
		to, text := address.Of(n, b.r.opt.UserName)
		b.sealed(n, "resource", to+" "+text, c)
	default:
		_, name, _ := strings.Cut(n.Name, ":")
		b.bodied(n, n, name, "", c)
	}
}

// apart adds the inside of n between paragraph ends.
func (b *builder) apart(n *storage.Node, c setting) {
	b.flush()
	b.each(n, c)
	b.flush()
}

// macro adds ac:structured-macro.
func (b *builder) macro(n *storage.Node, c setting) {
	switch name := n.Attr("ac:name"); name {
	case "code":
		b.add(codeBlock(n))
	case "noformat":
		b.add(page.Block{Kind: page.Code, Name: "noformat", Info: quoted("title", macro.Value(n, "title")), Code: body(n)})
	case "info", "note", "tip", "warning", "panel":
		b.styled(n)
		b.add(page.Block{Kind: page.Alert, Name: name, Title: page.OneLine(macro.Value(n, "title")), Kids: b.r.bodyBlocks(n)})
	case "expand":
		b.add(page.Block{Kind: page.Details, Title: page.OneLine(macro.Value(n, "title")), Kids: b.r.bodyBlocks(n)})
	case "status":
		b.status(n, c)
	case "anchor":
		if anchor := macro.Value(n, ""); page.ValidAnchor(anchor) {
			b.span(page.Span{Kind: page.Anchor, Marks: c.marks, Text: anchor})
			return
		}
		b.other(n, name, c)
	case "mathblock", "mathblock-macro", "easy-math-block":
		if n.Child("ac:plain-text-body") == nil {
			b.other(n, name, c)
			return
		}
		b.add(page.Block{Kind: page.Code, Name: "math", Info: quoted("macro", name), Code: body(n)})
	default:
		b.other(n, name, c)
	}
}

// bodyBlocks gathers everything in a macro but its parameters.
func (r *reader) bodyBlocks(n *storage.Node) []page.Block {
	b := r.begin(n)
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "ac:parameter" {
			continue
		}
		b.child = child
		if child.Kind == storage.Element && child.Name == "ac:plain-text-body" {
			b.add(page.Block{Kind: page.Code, Code: lineEnds(child.Content())})
			continue
		}
		b.walk(child, setting{})
	}
	return b.end()
}

// other adds a macro without Markdown form.
func (b *builder) other(n *storage.Node, name string, c setting) {
	if name == "" {
		name = "macro"
	}
	inner := macro.Body(n)
	if macro.Runs(name) || inner == nil {
		b.sealed(n, name, b.meaning(n)+" "+macro.Text(n), c)
		return
	}
	b.bodied(n, inner, name, b.meaning(n), c)
}

// sealed adds a construct as one placeholder that stands for all of it.
func (b *builder) sealed(n *storage.Node, name, meaning string, c setting) {
	alone := macro.StandsAlone(n)
	if alone {
		b.flush()
	}
	b.token(name, meaning, n.Raw(), c)
	if alone {
		b.flush()
	}
}

// bodied adds a construct without Markdown form that has something in it: between two placeholders, which stand for what is
// before its body and behind it. inner is the element that holds the body.
func (b *builder) bodied(n, inner *storage.Node, name, meaning string, c setting) {
	if c.link != nil { // its body may hold links of its own
		b.sealed(n, name, meaning+" "+macro.Text(n), c)
		return
	}
	alone := macro.StandsAlone(n)
	if alone {
		b.flush()
	}
	lost := len(b.r.lost)
	opening := b.r.placeholder(name, meaning, n.Raw())
	kids := b.r.inner(inner)
	token := page.Span{Kind: page.Token, Marks: c.marks, Link: c.link, Text: opening}
	switch {
	case len(kids) == 0:
		b.span(token)
	case !alone && len(kids) == 1 && kids[0].Kind == page.Paragraph && kids[0].Align == 0:
		if p := inner.First; p == inner.Last && p.Kind == storage.Element && p.Name == "p" {
			inner = p
		}
		b.span(token)
		for _, s := range kids[0].Text {
			s.Marks |= c.marks
			b.span(s)
		}
		token.Text = b.r.halves(opening, lost, n, inner)
		b.span(token)
	default:
		b.r.halves(opening, lost, n, inner)
		b.add(page.Block{Kind: page.Frame, Name: opening, Kids: kids})
	}
	if alone {
		b.flush()
	}
}

// inner gathers the blocks of a body; text that is not markup is one block of code.
func (r *reader) inner(body *storage.Node) []page.Block {
	if body.Name != "ac:plain-text-body" {
		return r.children(body)
	}
	if text := lineEnds(body.Content()); text != "" {
		return []page.Block{{Kind: page.Code, Code: text, From: body.InnerStart, To: body.InnerEnd}}
	}
	return nil
}

// halves notes what two placeholders stand for: what is in n before the inside of inner, and what is behind it. It answers
// the second of them.
func (r *reader) halves(opening string, lost int, n, inner *storage.Node) (closing string) {
	source := n.Source()
	closing = page.Closing(opening)
	r.lost[lost].Original = source[n.Start:inner.InnerStart]
	r.lost[lost].Closing = "[[" + closing + "]]"
	r.lost[lost].Rest = source[inner.InnerEnd:n.End]
	return closing
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
		case name == "serverId" || name == "columnIds" || name == "server" || name == "hash":
		case name == "outline" || name == "style" || name == "type" || name == "printable": // how a table of contents looks
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
			if to, _ := address.Of(c, b.r.opt.UserName); to != "" {
				out = append(out, to)
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
	made := page.Block{Kind: page.Code, Name: strings.TrimSpace(macro.Value(n, "language")), Code: body(n)}
	if made.Name == "" {
		made.Name = strings.TrimSpace(macro.Value(n, "lang"))
	}
	if strings.ContainsAny(made.Name, " \t\n`~\"=\\&") {
		made.Info, made.Name = quoted("language", made.Name), ""
	}
	info := []string{made.Info, quoted("title", macro.Value(n, "title"))}
	if macro.Value(n, "collapse") == "true" {
		info = append(info, "collapse")
	}
	if macro.Value(n, "linenumbers") == "true" {
		info = append(info, "linenumbers")
	}
	if first := strings.TrimSpace(macro.Value(n, "firstline")); first != "" && first != "1" {
		info = append(info, quoted("firstline", first))
	}
	info = append(info, quoted("theme", macro.Value(n, "theme")))
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
	title := page.OneLine(macro.Value(n, "title"))
	colour := page.OneLine(macro.Value(n, "colour"))
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
	if macro.Value(n, "subtle") == "true" {
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
		switch stray, last := b.r.alone(child), len(made.Kids)-1; {
		case len(stray) == 0:
		case last < 0:
			b.flush()
			b.blocks = append(b.blocks, stray...)
		default:
			made.Kids[last].Kids = append(made.Kids[last].Kids, stray...)
			made.Kids[last].To = child.End
		}
	}
	if len(made.Kids) > 0 {
		b.add(made)
	}
}

// task gathers one task.
func (r *reader) task(n *storage.Node) page.Block {
	made := page.Block{Kind: page.Item, Task: ' ', From: n.Start, To: n.End}
	inner := r.begin(n)
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind == storage.Element && child.Name == "ac:task-id":
			made.Name = taskNumber(child.Content())
		case child.Kind == storage.Element && child.Name == "ac:task-uuid":
		case child.Kind == storage.Element && child.Name == "ac:task-status":
			if strings.TrimSpace(child.Content()) == "complete" {
				made.Task = 'x'
			}
		default:
			inner.child = child
			inner.walk(child, setting{})
		}
	}
	made.Kids = inner.end()
	return made
}

// taskNumber is the number of a task, or "" if it is none.
func taskNumber(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 18 || strings.Trim(text, "0123456789") != "" {
		return ""
	}
	return text
}
