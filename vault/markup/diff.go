package markup

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// How much of what stays the same is shown around a change, and how much of a long line.
const (
	contextLines = 2
	maxLine      = 400
	beforeChange = 80
	maxDepth     = 20
)

// Diff shows what changed between two texts, line by line: "-" before what went, "+" before what came, a space before
// what stayed. Of long lines the part is shown where they differ. The answer has at most about maxChars characters and
// says so where it leaves something out; it is empty if nothing changed.
func Diff(oldMD, newMD string, maxChars int) string {
	if oldMD == newMD {
		return ""
	}
	edits := compare(lines(oldMD), lines(newMD), 0, nil)
	d := drawing{limit: maxChars}
	for i := 0; i < len(edits) && !d.full(); {
		if edits[i].sign == ' ' {
			i = d.same(edits, i)
			continue
		}
		i = d.change(edits, i)
	}
	if d.full() {
		left := 0
		for _, e := range edits[d.shown:] {
			if e.sign != ' ' {
				left++
			}
		}
		fmt.Fprintf(&d.out, "… and %d more changed lines\n", left)
	}
	return d.out.String()
}

func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// edit is one line of a comparison: ' ' stayed, '-' went, '+' came.
type edit struct {
	sign byte
	line string
}

// compare appends how a becomes b. Lines that stand once in both anchor the comparison (Cohen's patience diff), which
// people find easier to read than the shortest answer and which costs no more than sorting.
func compare(a, b []string, depth int, out []edit) []edit {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		out = append(out, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	same := 0
	for same < len(a) && same < len(b) && a[len(a)-1-same] == b[len(b)-1-same] {
		same++
	}
	tail := a[len(a)-same:]
	a, b = a[:len(a)-same], b[:len(b)-same]
	fromA, fromB := 0, 0
	for _, at := range anchors(a, b) {
		out = between(a[fromA:at.a], b[fromB:at.b], depth, out)
		out = append(out, edit{' ', a[at.a]})
		fromA, fromB = at.a+1, at.b+1
	}
	out = between(a[fromA:], b[fromB:], depth, out)
	for _, line := range tail {
		out = append(out, edit{' ', line})
	}
	return out
}

// between compares what stands between two anchors, down to a depth that keeps the whole linear.
func between(a, b []string, depth int, out []edit) []edit {
	if depth < maxDepth && len(a) > 0 && len(b) > 0 && (a[0] == b[0] || a[len(a)-1] == b[len(b)-1]) {
		return compare(a, b, depth+1, out)
	}
	for _, line := range a {
		out = append(out, edit{'-', line})
	}
	for _, line := range b {
		out = append(out, edit{'+', line})
	}
	return out
}

// pair is a line that stands in both texts, by its places.
type pair struct{ a, b int }

// anchors are the lines that stand once in a and once in b, as many of them as keep their order.
func anchors(a, b []string) []pair {
	type place struct{ inA, inB, a, b int }
	places := make(map[string]*place, len(a))
	for i, line := range a {
		p := places[line]
		if p == nil {
			p = &place{}
			places[line] = p
		}
		p.inA, p.a = p.inA+1, i
	}
	for i, line := range b {
		if p := places[line]; p != nil {
			p.inB, p.b = p.inB+1, i
		}
	}
	var once []pair
	for i, line := range a {
		if p := places[line]; p.inA == 1 && p.inB == 1 && strings.TrimSpace(line) != "" {
			once = append(once, pair{i, p.b})
		}
	}
	return increasing(once)
}

// increasing is the longest part of pairs, which are in order of a, that is in order of b too.
func increasing(pairs []pair) []pair {
	var tops []int // the last pair of the best chain of each length
	before := make([]int, len(pairs))
	for i, p := range pairs {
		at, _ := slices.BinarySearchFunc(tops, p.b, func(top, b int) int { return pairs[top].b - b })
		before[i] = -1
		if at > 0 {
			before[i] = tops[at-1]
		}
		if at == len(tops) {
			tops = append(tops, i)
		} else {
			tops[at] = i
		}
	}
	if len(tops) == 0 {
		return nil
	}
	chain := make([]pair, len(tops))
	for at, i := len(tops)-1, tops[len(tops)-1]; at >= 0; at, i = at-1, before[i] {
		chain[at] = pairs[i]
	}
	return chain
}

// drawing writes a comparison within the limit.
type drawing struct {
	out    strings.Builder
	limit  int
	chars  int
	shown  int // edits that were dealt with
	filled bool
}

func (d *drawing) full() bool { return d.filled }

// line writes a line, unless that would go beyond the limit.
func (d *drawing) line(sign byte, text string) {
	if d.filled {
		return
	}
	size := utf8.RuneCountInString(text) + 3
	if d.chars+size > d.limit {
		d.filled = true
		return
	}
	d.chars += size
	d.out.WriteByte(sign)
	d.out.WriteByte(' ')
	d.out.WriteString(text)
	d.out.WriteByte('\n')
}

// same shows the lines around changes and leaves out those in between.
func (d *drawing) same(edits []edit, i int) int {
	end := i
	for end < len(edits) && edits[end].sign == ' ' {
		end++
	}
	first, last := i, end
	if i > 0 {
		first = min(i+contextLines, end)
	}
	if end < len(edits) {
		last = max(end-contextLines, first)
	}
	if i == 0 && end < len(edits) {
		first = i
	}
	for _, e := range edits[i:first] {
		d.line(' ', clip(e.line, 0))
	}
	if last > first {
		d.line(' ', "…")
	}
	for _, e := range edits[last:end] {
		d.line(' ', clip(e.line, 0))
	}
	d.shown = end
	return end
}

// change shows lines that went and those that came for them.
func (d *drawing) change(edits []edit, i int) int {
	middle := i
	for middle < len(edits) && edits[middle].sign == '-' {
		middle++
	}
	end := middle
	for end < len(edits) && edits[end].sign == '+' {
		end++
	}
	for at := i; at < end && !d.filled; at++ {
		from := 0
		// Lines that went and came in the same place are shown where they differ.
		if at < middle && at-i < end-middle {
			from = differs(edits[at].line, edits[middle+at-i].line)
		} else if at >= middle && at-middle < middle-i {
			from = differs(edits[at].line, edits[i+at-middle].line)
		}
		d.line(edits[at].sign, clip(edits[at].line, from))
		if !d.filled {
			d.shown = at + 1
		}
	}
	return end
}

// differs is the byte from which on two lines differ.
func differs(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

// clip shows a long line around an offset.
func clip(line string, from int) string {
	if len(line) <= maxLine {
		return line
	}
	start := max(0, min(from-beforeChange, len(line)-maxLine))
	for start > 0 && !utf8.RuneStart(line[start]) {
		start--
	}
	end := min(start+maxLine, len(line))
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end--
	}
	text := line[start:end]
	if start > 0 {
		text = "…" + text
	}
	if end < len(line) {
		text += "…"
	}
	return text
}
