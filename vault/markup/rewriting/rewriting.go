// Package rewriting writes a page anew so that what did not change keeps its bytes.
//
// It goes down two pages side by side: the one that was read, whose blocks know their bytes in the source, and the one that
// was edited. Blocks that say the same keep their bytes. A block that changed is taken apart together with the one that it
// was before: a list into its items, a table into rows and cells, a panel, an expand or a frame into what is in it, a text
// into what changed in it and what stands before and behind that. What is between blocks (white space, empty paragraphs)
// stays. Only what is new is written by vault/markup/writing. Time is linear but for sorting: depth, and what is compared
// with what, are bounded.
package rewriting

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/matching"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/writing"
)

// maxDepth bounds how deep blocks are taken apart; what is nested deeper is written as a whole.
const maxDepth = 24

// Options are those of reading the page and of writing what is new.
type Options struct {
	Reading reading.Options
	Writing writing.Options
}

// Rewrite writes the page that edited is. was is the same page as it was read from doc.
func Rewrite(doc *storage.Document, was, edited []page.Block, opt Options) string {
	r := &rewriter{source: doc.Source, opt: opt, pieces: writing.NewPieces(opt.Writing, was, edited), nodes: map[int]*storage.Node{}}
	r.index(doc.Root)
	text, ok := r.region(blockParts(was), blockParts(edited), area{to: len(doc.Source)})
	if !ok {
		return writing.Write(edited, opt.Writing)
	}
	return text
}

// rewriter holds what stays the same all the way down.
type rewriter struct {
	source string
	opt    Options
	pieces *writing.Pieces
	nodes  map[int]*storage.Node // by where they begin
}

// index notes all nodes.
func (r *rewriter) index(n *storage.Node) {
	for child := n.First; child != nil; child = child.Next {
		r.nodes[child.Start] = child
		r.index(child)
	}
}

// element is the element that takes exactly those bytes, or nil.
func (r *rewriter) element(from, to int) *storage.Node {
	if n := r.nodes[from]; n != nil && n.Kind == storage.Element && n.End == to {
		return n
	}
	return nil
}

// area is a range of the source whose parts are compared.
type area struct {
	from, to int
	depth    int
	inner    bool // inside a list or a cell
	pipes    bool // in a table that Markdown writes with pipes
}

// group is what comes from one range of the source: mostly one part, several where blocks stand in the midst of text.
type group struct {
	from, to int
	parts    []part
	first    int  // its first part's place among all
	loose    bool // text without an element of its own
	kept     int  // place of the edited part that its first part is, -1 if it changed
}

// groups joins the parts that share bytes. It reports false where their bytes are not known.
func (r *rewriter) groups(parts []part, in area) ([]group, bool) {
	var out []group
	for i, p := range parts {
		if p.to == 0 || p.from < in.from || p.to > in.to {
			return nil, false
		}
		g := group{from: p.from, to: p.to, parts: parts[i : i+1], first: i, kept: -1}
		for last := len(out) - 1; last >= 0 && g.from < out[last].to; last-- {
			g.from, g.to = min(g.from, out[last].from), max(g.to, out[last].to)
			g.first = out[last].first
			g.parts = parts[g.first : i+1]
			out = out[:last]
		}
		out = append(out, g)
	}
	for i := range out {
		out[i].loose = r.element(out[i].from, out[i].to) == nil && out[i].parts[0].block != nil && out[i].parts[0].block.Kind == page.Paragraph
	}
	return out, true
}

// region writes an area anew. It reports false if that is not possible within its bytes.
func (r *rewriter) region(was, edited []part, in area) (string, bool) {
	groups, ok := r.groups(was, in)
	if !ok || in.depth > maxDepth {
		return "", false
	}
	keep(groups, was, edited)
	e := emission{rewriter: r, area: in, at: in.from, spare: map[string]*group{}}
	for i := range groups {
		if g := &groups[i]; g.kept < 0 && len(g.parts) == 1 && !g.loose {
			e.spare[g.parts[0].key] = g
		}
	}
	next := 0
	for i := 0; i <= len(groups); {
		end := i
		for end < len(groups) && groups[end].kept < 0 {
			end++
		}
		until := len(edited)
		if end < len(groups) {
			until = groups[end].kept
		}
		e.changed(groups[i:end], edited[next:until])
		if end < len(groups) {
			e.stay(&groups[end])
			next = until + len(groups[end].parts)
		}
		i = end + 1
	}
	e.copy(in.to)
	return e.out.String(), !e.failed
}

// keep finds the groups that did not change: all their parts follow each other among the edited ones.
func keep(groups []group, was, edited []part) {
	pairs := matching.Match(keys(was), keys(edited))
	at := 0
	for i := range groups {
		g := &groups[i]
		for at < len(pairs) && pairs[at].A < g.first {
			at++
		}
		whole := at+len(g.parts) <= len(pairs)
		for k := 0; whole && k < len(g.parts); k++ {
			whole = pairs[at+k].A == g.first+k && pairs[at+k].B == pairs[at].B+k
		}
		if whole {
			g.kept = pairs[at].B
		}
	}
}

func keys(parts []part) []string {
	out := make([]string, len(parts))
	for i := range parts {
		out[i] = parts[i].key
	}
	return out
}

// emission writes an area from left to right.
type emission struct {
	*rewriter
	area
	out    strings.Builder
	at     int               // what was dealt with of the source
	spare  map[string]*group // what may have moved, by what it says
	loose  bool              // text without an element was written last
	failed bool
}

// copy writes the source up to a place.
func (e *emission) copy(to int) {
	e.out.WriteString(e.source[e.at:to])
	e.at = to
}

// stay writes a group as it is.
func (e *emission) stay(g *group) {
	e.border(g)
	e.copy(g.to)
	for _, p := range g.parts {
		e.keepTasks(p)
	}
}

// border writes what is before a group. Two texts without elements would become one.
func (e *emission) border(g *group) {
	e.failed = e.failed || g.loose && e.loose
	e.loose = g.loose
	e.copy(g.from)
}

// keepTasks notes the numbers of tasks that stay.
func (e *emission) keepTasks(p part) {
	if p.block != nil {
		e.keepNumbers(p.block)
	}
}

func (r *rewriter) keepNumbers(b *page.Block) {
	if b.Kind == page.Item && b.Name != "" {
		r.pieces.Keep(b.Name)
	}
	for i := range b.Kids {
		r.keepNumbers(&b.Kids[i])
	}
}

// changed writes what became of some groups.
func (e *emission) changed(groups []group, edited []part) {
	moved := make([]*group, len(edited))
	for i := range edited {
		if g := e.spare[edited[i].key]; g != nil {
			moved[i] = g
			delete(e.spare, edited[i].key)
			g.kept = -2 // its bytes stand elsewhere
		}
	}
	for _, step := range align(groups, edited, moved) {
		switch {
		case step.group == nil && moved[step.edited] != nil:
			e.loose = false
			e.out.WriteString(e.source[moved[step.edited].from:moved[step.edited].to])
		case step.group == nil:
			e.loose = false
			e.out.WriteString(e.write(edited[step.edited], e.inner))
		case step.edited < 0:
			e.copy(step.group.from)
			e.at = step.group.to
		default:
			e.border(step.group)
			e.out.WriteString(e.part(step.group.parts[0], edited[step.edited], e.area))
			e.at = step.group.to
		}
	}
}
