package tools

import (
	"strings"
	"unicode/utf8"
)

// Limits of a diff.
const (
	maxDiff      = 4000 // characters shown
	maxDiffLines = 2000 // lines compared exactly
)

// diff shows the lines that differ between a and b, with - and +, in at most
// limit characters. Lines that both begin or end with are left out.
func diff(a, b string, limit int) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x) == 0 && len(y) == 0 {
		return "The text reads the same in both versions."
	}
	var lines []string
	if len(x) > maxDiffLines || len(y) > maxDiffLines {
		lines = append(marked("- ", x), marked("+ ", y)...)
	} else {
		lines = compare(x, y)
	}
	var out strings.Builder
	left := limit
	for _, line := range lines {
		if left -= utf8.RuneCountInString(line) + 1; left < 0 {
			out.WriteString("… (more has changed)\n")
			break
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func marked(mark string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = mark + line
	}
	return out
}

// compare finds a longest common subsequence of lines and lists what is not
// part of it, with … where equal lines are left out.
func compare(x, y []string) []string {
	// length[i][j] is that of x[i:] and y[j:].
	length := make([][]int32, len(x)+1)
	for i := range length {
		length[i] = make([]int32, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var out []string
	i, j, gap := 0, 0, false
	say := func(line string) {
		if gap && len(out) > 0 {
			out = append(out, "…")
		}
		gap, out = false, append(out, line)
	}
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			i, j, gap = i+1, j+1, true
		case j == len(y) || i < len(x) && length[i+1][j] >= length[i][j+1]:
			say("- " + x[i])
			i++
		default:
			say("+ " + y[j])
			j++
		}
	}
	return out
}
