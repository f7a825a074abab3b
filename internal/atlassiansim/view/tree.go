package view

import (
	"encoding/xml"
	"strings"
)

// node is an element of a body in storage format, or text.
type node struct {
	name  string // such as "p" or "ac:link"; "" for text
	text  string
	attr  map[string]string
	below []*node
}

// parse reads a body. What cannot be read ends it: bodies that the wiki keeps
// are well-formed.
func parse(body string) *node {
	d := xml.NewDecoder(strings.NewReader("<root>" + body + "</root>"))
	d.Entity = xml.HTMLEntity
	root := &node{}
	stack := []*node{root}
	for {
		t, err := d.Token()
		if err != nil {
			return root
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			n := &node{name: qualified(t.Name), attr: map[string]string{}}
			for _, a := range t.Attr {
				n.attr[qualified(a.Name)] = a.Value
			}
			top.below = append(top.below, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:max(1, len(stack)-1)]
		case xml.CharData:
			top.below = append(top.below, &node{text: string(t)})
		}
	}
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// find is the first element called name below n, at any depth; nil if there
// is none.
func (n *node) find(name string) *node {
	for _, c := range n.below {
		if c.name == name {
			return c
		}
		if found := c.find(name); found != nil {
			return found
		}
	}
	return nil
}

// plain is all text below n.
func (n *node) plain() string {
	text := n.text
	for _, c := range n.below {
		text += c.plain()
	}
	return text
}

// parameter is the value of a macro's parameter.
func (n *node) parameter(name string) string {
	for _, c := range n.below {
		if c.name == "ac:parameter" && c.attr["ac:name"] == name {
			return strings.TrimSpace(c.plain())
		}
	}
	return ""
}
