package rewriting

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/printing"
)

// part is a block, a row or a cell. Those of the page that was read know their bytes.
type part struct {
	key      string // what it says, as Markdown
	from, to int
	block    *page.Block
	row      *page.Row
	cell     *page.Cell
}

func blockParts(blocks []page.Block) []part {
	out := make([]part, len(blocks))
	for i := range blocks {
		b := &blocks[i]
		key := ""
		if b.Kind == page.Item {
			key = printing.Print([]page.Block{{Kind: page.List, Kids: blocks[i : i+1]}})
		} else {
			key = printing.Print(blocks[i : i+1])
		}
		out[i] = part{key: spaces(key), from: b.From, to: b.To, block: b}
	}
	return out
}

func rowParts(rows []page.Row, pipes bool) []part {
	out := make([]part, len(rows))
	for i := range rows {
		cells := cellParts(rows[i].Cells, pipes)
		out[i] = part{key: "|" + strings.Join(keys(cells), "|"), from: rows[i].From, to: rows[i].To, row: &rows[i]}
	}
	return out
}

// cellParts are the cells of a row. In a table of pipes, alignment is one of the column.
func cellParts(cells []page.Cell, pipes bool) []part {
	out := make([]part, len(cells))
	for i := range cells {
		c := cells[i]
		if pipes {
			c.Align = 0
		}
		// As the only cell of a table: in one line with pipes, as HTML without.
		key := printing.Print([]page.Block{{Kind: page.Grid, Table: &page.Table{Rows: []page.Row{{Cells: []page.Cell{c}}}}}})
		out[i] = part{key: spaces(key), from: c.From, to: c.To, cell: &cells[i]}
	}
	return out
}

// spaces makes plain spaces of those that do not break. Who copies a text mostly does not keep them apart, so that they are
// no change by themselves.
func spaces(text string) string { return strings.ReplaceAll(text, "\u00a0", " ") }

// alike reports whether one part may be the other before it was edited.
func alike(a, b *part) bool {
	if (a.block == nil) != (b.block == nil) || (a.row == nil) != (b.row == nil) {
		return false
	}
	if a.block == nil {
		return true
	}
	x, y := a.block, b.block
	switch {
	case x.Kind != y.Kind:
		return false
	case x.Kind == page.Frame:
		return page.Unnumbered(x.Name) == page.Unnumbered(y.Name)
	case x.Kind == page.List:
		return x.Ordered == y.Ordered
	}
	return true
}

// step is one of the steps from what was to what is: a group that becomes an edited part, that goes, or a part that comes.
type step struct {
	group  *group
	edited int // -1 if the group goes
}

// maxCompared bounds how many groups are compared with how many parts.
const maxCompared = 64

// align finds, in order, which group became which part.
func align(groups []group, edited []part, moved []*group) []step {
	if len(groups) == 0 || len(edited) == 0 || len(groups) > maxCompared || len(edited) > maxCompared {
		return inOrder(groups, edited, moved)
	}
	n, m := len(groups), len(edited)
	best := make([][]int, n+1)
	for i := range best {
		best[i] = make([]int, m+1)
	}
	score := likeness(groups, edited, moved)
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j], best[i][j+1], score[i][j]+best[i+1][j+1])
		}
	}
	var out []step
	i, j := 0, 0
	for i < n && j < m {
		switch {
		case score[i][j] > 0 && best[i][j] == score[i][j]+best[i+1][j+1]:
			out = append(out, step{&groups[i], j})
			i, j = i+1, j+1
		case best[i][j] == best[i+1][j]:
			out = append(out, step{&groups[i], -1})
			i++
		default:
			out = append(out, step{nil, j})
			j++
		}
	}
	return append(out, rest(groups[i:], j, m)...)
}

// rest are the steps for groups that go and parts that come.
func rest(groups []group, from, to int) []step {
	var out []step
	for i := range groups {
		out = append(out, step{&groups[i], -1})
	}
	for ; from < to; from++ {
		out = append(out, step{nil, from})
	}
	return out
}

// inOrder takes one group for one part as long as they are alike.
func inOrder(groups []group, edited []part, moved []*group) []step {
	var out []step
	j := 0
	for i := range groups {
		for j < len(edited) && moved[j] != nil {
			out = append(out, step{nil, j})
			j++
		}
		g := &groups[i]
		if j < len(edited) && g.kept == -1 && len(g.parts) == 1 && alike(&g.parts[0], &edited[j]) {
			out = append(out, step{g, j})
			j++
			continue
		}
		out = append(out, step{g, -1})
	}
	return append(out, rest(nil, j, len(edited))...)
}

// likeness counts, for each group and each part, the words that they have in common, in thousandths of all.
func likeness(groups []group, edited []part, moved []*group) [][]int {
	words := make([]map[string]int, len(edited))
	sizes := make([]int, len(edited))
	for j := range edited {
		words[j] = map[string]int{}
		for _, word := range strings.Fields(edited[j].key) {
			words[j][word]++
			sizes[j]++
		}
	}
	out := make([][]int, len(groups))
	for i := range groups {
		out[i] = make([]int, len(edited))
		g := &groups[i]
		if g.kept != -1 || len(g.parts) != 1 {
			continue
		}
		mine := strings.Fields(g.parts[0].key)
		for j := range edited {
			if moved[j] != nil || !alike(&g.parts[0], &edited[j]) {
				continue
			}
			out[i][j] = 1 + 1000*common(mine, words[j])/max(1, len(mine), sizes[j])
		}
	}
	return out
}

// common counts the words that are in both.
func common(words []string, among map[string]int) int {
	seen := make(map[string]int, min(len(words), len(among)))
	n := 0
	for _, word := range words {
		if seen[word] < among[word] {
			seen[word]++
			n++
		}
	}
	return n
}
