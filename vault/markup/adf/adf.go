// Package adf gathers what a page says from Atlassian's document format, the JSON that Confluence's editor keeps.
//
// Reading is all it does: pages are written in storage format, from which Confluence makes its own. Nodes that nobody knows
// are named by a placeholder and shown by what is in them.
package adf

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
)

// node is a node of a document. Attributes differ by type.
type node struct {
	Type    string         `json:"type"`
	Text    string         `json:"text"`
	Attrs   map[string]any `json:"attrs"`
	Marks   []node         `json:"marks"`
	Content []node         `json:"content"`
}

// attr is an attribute as text.
func (n *node) attr(name string) string {
	switch value := n.Attrs[name].(type) {
	case string:
		return value
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}

// number is an attribute as a count, 0 for what is none.
func (n *node) number(name string) int {
	value, _ := n.Attrs[name].(float64)
	if value < 0 || value > 1_000_000 {
		return 0
	}
	return int(value)
}

// Read gathers a document. It reports false for texts that are none, storage format among them.
func Read(body string) (reading.Result, bool) {
	if text := strings.TrimSpace(body); !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}") {
		return reading.Result{}, false
	}
	var doc node
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Type != "doc" {
		return reading.Result{}, false
	}
	var r reader
	r.result.Blocks = r.blocks(doc.Content)
	return r.result, true
}

// reader gathers blocks; it mirrors the one of vault/markup/reading over the other tree.
type reader struct {
	result  reading.Result
	settler page.Settler
}

// flatten notes that the frame or look of a construct is not shown.
func (r *reader) flatten(what string) {
	if !slices.Contains(r.result.Flattened, what) {
		r.result.Flattened = append(r.result.Flattened, what)
	}
}

// placeholder is a span for a node without Markdown form.
func (r *reader) placeholder(name, meaning string) page.Span {
	text := reading.Placeholder(name, len(r.result.Lost)+1, meaning)
	r.result.Lost = append(r.result.Lost, reading.Lost{Placeholder: "[[" + text + "]]"})
	return page.Span{Kind: page.Token, Text: text}
}

// blocks makes blocks of nodes; inline nodes among them become paragraphs.
func (r *reader) blocks(nodes []node) []page.Block {
	var out []page.Block
	var line []page.Span
	flush := func() {
		out = append(out, r.paragraph(line)...)
		line = nil
	}
	for i := range nodes {
		if spans, ok := r.inline(&nodes[i]); ok {
			line = append(line, spans...)
			continue
		}
		flush()
		out = append(out, r.block(&nodes[i])...)
	}
	flush()
	return out
}

// paragraph makes a block of spans, if there is anything to see.
func (r *reader) paragraph(spans []page.Span) []page.Block {
	if spans = r.settler.Settle(spans); len(spans) == 0 {
		return nil
	}
	return []page.Block{{Kind: page.Paragraph, Text: spans}}
}

// block makes blocks of one node. The names are those of Atlassian's published schema.
func (r *reader) block(n *node) []page.Block {
	switch n.Type {
	case "paragraph", "caption":
		return r.blocks(n.Content)
	case "heading":
		made := r.blocks(n.Content)
		for i := range made {
			if made[i].Kind == page.Paragraph {
				made[i].Kind, made[i].Level = page.Heading, min(max(n.number("level"), 1), 6)
			}
		}
		return made
	case "bulletList", "orderedList", "taskList", "decisionList":
		return r.list(n)
	case "blockquote":
		return []page.Block{{Kind: page.Quote, Kids: r.blocks(n.Content)}}
	case "codeBlock":
		return []page.Block{{Kind: page.Code, Name: strings.Join(strings.Fields(n.attr("language")), "-"), Code: plain(n)}}
	case "panel":
		return []page.Block{{Kind: page.Alert, Name: reading.PanelName(n.attr("panelType")), Kids: r.blocks(n.Content)}}
	case "expand", "nestedExpand":
		return []page.Block{{Kind: page.Details, Title: page.OneLine(n.attr("title")), Kids: r.blocks(n.Content)}}
	case "rule":
		return []page.Block{{Kind: page.Rule}}
	case "table":
		return r.table(n)
	case "mediaSingle", "mediaGroup":
		return r.blocks(n.Content)
	case "layoutSection", "layoutColumn":
		r.flatten("layout")
		return r.blocks(n.Content)
	}
	return r.other(n)
}

// other makes a placeholder, and around what is in the node, if anything is, two.
func (r *reader) other(n *node) []page.Block {
	name := n.attr("extensionKey")
	if name == "" {
		name = n.Type
	}
	opening := r.placeholder(name, meaning(n))
	number := strconv.Itoa(len(r.result.Lost))
	out := r.paragraph([]page.Span{opening})
	if inner := r.blocks(n.Content); len(inner) > 0 {
		name, _, _ := strings.Cut(strings.TrimPrefix(opening.Text, "confluence:"), "#")
		out = append(out, inner...)
		out = append(out, r.paragraph([]page.Span{{Kind: page.Token, Text: "/confluence:" + name + "#" + number}})...)
	}
	return out
}

// meaning lists the parameters of a macro, or what else tells what a node is.
func meaning(n *node) string {
	parameters, _ := n.Attrs["parameters"].(map[string]any)
	macro, _ := parameters["macroParams"].(map[string]any)
	var out []string
	for name, value := range macro {
		if inner, ok := value.(map[string]any); ok {
			value = inner["value"]
		}
		if text, ok := value.(string); ok && text != "" {
			out = append(out, strings.TrimPrefix(name+"="+text, "="))
		}
	}
	slices.Sort(out)
	for _, name := range []string{"text", "url", "title"} {
		if text := n.attr(name); text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, " ")
}

// list makes a list; a list that stands between items belongs to the item before it.
func (r *reader) list(n *node) []page.Block {
	made := page.Block{Kind: page.List, Ordered: n.Type == "orderedList", Level: 1}
	if _, ok := n.Attrs["order"]; ok && made.Ordered {
		made.Level = n.number("order")
	}
	for i := range n.Content {
		child := &n.Content[i]
		if last := len(made.Kids) - 1; strings.HasSuffix(child.Type, "List") && last >= 0 {
			made.Kids[last].Kids = append(made.Kids[last].Kids, r.list(child)...)
			continue
		}
		item := page.Block{Kind: page.Item, Kids: r.blocks(child.Content)}
		item.Task = box(n.Type, child.attr("state"))
		made.Kids = append(made.Kids, item)
	}
	if len(made.Kids) == 0 {
		return nil
	}
	return []page.Block{made}
}

// box is what stands in the box of an item: nothing, the state of a task or that of a decision.
func box(list, state string) byte {
	switch {
	case list == "taskList" && state == "DONE":
		return 'x'
	case list == "taskList":
		return ' '
	case list == "decisionList" && state == "UNDECIDED":
		return '?'
	case list == "decisionList":
		return '!'
	}
	return 0
}

// table makes a table; what stands in it beside rows of cells does not exist in the format.
func (r *reader) table(n *node) []page.Block {
	made := &page.Table{}
	for i := range n.Content {
		var cells []page.Cell
		for j := range n.Content[i].Content {
			c := &n.Content[i].Content[j]
			cells = append(cells, page.Cell{
				Head: c.Type == "tableHeader", Colspan: max(c.number("colspan"), 1), Rowspan: max(c.number("rowspan"), 1), Kids: r.blocks(c.Content),
			})
		}
		if len(cells) > 0 {
			made.Rows = append(made.Rows, page.Row{Cells: cells})
		}
	}
	if len(made.Rows) == 0 {
		return nil
	}
	return []page.Block{{Kind: page.Grid, Table: made}}
}

// plain is the text below a node.
func plain(n *node) string {
	var out strings.Builder
	for i := range n.Content {
		if n.Content[i].Type == "hardBreak" {
			out.WriteByte('\n')
		}
		out.WriteString(n.Content[i].Text)
		out.WriteString(plain(&n.Content[i]))
	}
	return out.String()
}

// day is the date of a point in time in milliseconds.
func day(timestamp string) string {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.DateOnly)
}
