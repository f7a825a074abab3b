// Package storage parses Confluence's storage format: fragments of XHTML with the undeclared prefixes ac and ri, HTML's
// named entities and CDATA.
//
// It is an XML parser, not an HTML parser: what is not well-formed is refused with its offset, as Confluence itself refuses
// it. Nothing is thrown away: every node knows its byte range, the ranges of children tile the inside of their parent, and
// names, attributes and text are slices of the source until somebody asks for them decoded. One pass, linear time, bounded
// depth and size, no panics. A parsed document is read-only and may be shared.
package storage

import (
	"fmt"
	"strings"
)

// Limits of a document.
const (
	MaxSize       = 8 << 20 // bytes
	MaxDepth      = 256     // elements inside each other
	maxAttributes = 64      // on one element; Confluence uses at most a dozen
)

// Kind says what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Root    Kind = iota // the fragment as a whole
	Element             // <p>…</p>, <br/>
	Text                // characters, with entities
	CData               // <![CDATA[…]]>
	Comment             // <!--…-->
)

// Node is one construct of the source.
type Node struct {
	Kind Kind
	// Name of an element, with its prefix: "p", "ac:link".
	Name string
	// Start and End are the byte range of the whole construct in the source.
	Start, End int
	// InnerStart and InnerEnd are the range between the tags, or between the marks of a CDATA section or comment. For text
	// they are Start and End; for an empty element (<br/>) both are End.
	InnerStart, InnerEnd int

	Parent, First, Last, Next *Node

	doc   *Document
	attrs []Attr
}

// Attr is an attribute as it stands in the source.
type Attr struct {
	Name string // with its prefix
	Raw  string // between the quotes, undecoded
}

// Document is a parsed fragment.
type Document struct {
	Source string
	Root   *Node

	slab  []Node // nodes are handed out from here, to save allocations
	attrs []Attr
}

// Error says where and why a source is not well-formed.
type Error struct {
	Offset int
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("storage format is not well-formed at byte %d: %s", e.Offset, e.Reason)
}

// Raw is the node's source, byte for byte.
func (n *Node) Raw() string { return n.doc.Source[n.Start:n.End] }

// Source is all of the source that the node is a part of.
func (n *Node) Source() string { return n.doc.Source }

// Inner is the source between the node's tags.
func (n *Node) Inner() string { return n.doc.Source[n.InnerStart:n.InnerEnd] }

// Attrs lists the element's attributes in their order.
func (n *Node) Attrs() []Attr { return n.attrs }

// Attr is the decoded value of the attribute of that name, or "".
func (n *Node) Attr(name string) string {
	for i := range n.attrs {
		if n.attrs[i].Name == name {
			return decode(n.attrs[i].Raw, true)
		}
	}
	return ""
}

// Value is the decoded content of a text node or CDATA section, and "" for every other node.
func (n *Node) Value() string {
	switch n.Kind {
	case Text:
		return decode(n.Raw(), false)
	case CData:
		return newlines(n.Inner())
	default:
		return ""
	}
}

// Child is the first child element of that name, or nil.
func (n *Node) Child(name string) *Node {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == Element && c.Name == name {
			return c
		}
	}
	return nil
}

// Content joins the text and CDATA below n, in order. A CDATA section that was split to carry its own end mark comes out
// whole.
func (n *Node) Content() string {
	if n.First != nil && n.First == n.Last && n.First.Kind != Element {
		return n.First.Value()
	}
	var out strings.Builder
	n.content(&out)
	return out.String()
}

func (n *Node) content(out *strings.Builder) {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == Element {
			c.content(out)
			continue
		}
		out.WriteString(c.Value())
	}
}

// node hands out a new node as the last child of parent.
func (d *Document) node(parent *Node) *Node {
	if len(d.slab) == cap(d.slab) {
		d.slab = make([]Node, 0, min(max(64, 2*cap(d.slab)), 4096))
	}
	d.slab = append(d.slab, Node{doc: d, Parent: parent})
	n := &d.slab[len(d.slab)-1]
	if parent != nil {
		if parent.Last == nil {
			parent.First = n
		} else {
			parent.Last.Next = n
		}
		parent.Last = n
	}
	return n
}
