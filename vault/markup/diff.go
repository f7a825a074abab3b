package markup

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/matching"
)

// How much of what stays the same is shown around a change, and how much of a long line.
const (
	contextLines = 2
	maxLine      = 400
	beforeChange = 80
)

// Diff shows what changed between two texts, line by line: "-" before what went, "+" before what came, a space before
// what stayed. Of long lines the part is shown where they differ. The answer has at most about maxChars characters and
// says so where it leaves something out; it is empty if nothing changed.
func Diff(oldMD, newMD string, maxChars int) string {
	if oldMD == newMD {
		return ""
	}
	edits := compare(lines(oldMD), lines(newMD))
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

// compare tells how a becomes b.
func compare(a, b []string) []edit {
	out := make([]edit, 0, len(a)+len(b))
	fromA, fromB := 0, 0
	upTo := func(toA, toB int) {
		for _, line := range a[fromA:toA] {
			out = append(out, edit{'-', line})
		}
		for _, line := range b[fromB:toB] {
			out = append(out, edit{'+', line})
		}
	}
	for _, p := range matching.Match(a, b) {
		upTo(p.A, p.B)
		out = append(out, edit{' ', a[p.A]})
		fromA, fromB = p.A+1, p.B+1
	}
	upTo(len(a), len(b))
	return out
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
