// Package conversion turns a page of Confluence into Markdown in two ways, to compare how fast they are: ours, and what one
// would put together from libraries.
package conversion

import (
	_ "embed"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

//go:embed page.xml
var page string

// Page is storage format of about that many bytes: a page as teams write them, again and again.
func Page(size int) string { return strings.Repeat(page, max(1, size/len(page))) }

// Ours is what the vault does.
func Ours(storage string) (string, error) {
	doc, err := markup.ToMarkdown(storage, markup.Options{})
	return doc.Markdown, err
}

// Pipeline makes HTML nodes of what encoding/xml reads and Markdown of those with html-to-markdown. Of Confluence's own
// elements it knows code only: it is what the libraries do, with nothing added that takes time.
func Pipeline(storage string) (string, error) {
	root, err := nodes(storage)
	if err != nil {
		return "", err
	}
	made, err := converter.NewConverter(converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin())).ConvertNode(root)
	return string(made), err
}

// nodes makes a tree of HTML.
func nodes(storage string) (*html.Node, error) {
	d := xml.NewDecoder(strings.NewReader("<body>" + storage + "</body>"))
	d.Entity = xml.HTMLEntity
	root := &html.Node{Type: html.DocumentNode}
	at := root
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := element(t)
			at.AppendChild(n)
			at = n
		case xml.EndElement:
			at = at.Parent
		case xml.CharData:
			at.AppendChild(&html.Node{Type: html.TextNode, Data: string(t)})
		}
	}
}

// element is the HTML element for one of storage format.
func element(t xml.StartElement) *html.Node {
	name := t.Name.Local
	switch {
	case t.Name.Space == "":
	case name == "plain-text-body":
		name = "pre"
	case name == "parameter":
		name = "template" // shown by nobody
	default:
		name = "div"
		if t.Name.Local == "link" || t.Name.Local == "link-body" {
			name = "span"
		}
	}
	n := &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name))}
	for _, a := range t.Attr {
		n.Attr = append(n.Attr, html.Attribute{Key: a.Name.Local, Val: a.Value})
	}
	return n
}
