// Package matching finds what two sequences have in common, in the order in which both have it.
package matching

import (
	"slices"
	"strings"
)

// maxDepth keeps the whole linear but for sorting.
const maxDepth = 20

// Pair is an element that stands in both sequences, by its places.
type Pair struct{ A, B int }

// Match pairs elements of a with equal ones of b; pairs do not cross. Elements that stand once in both anchor the rest
// (Cohen's patience diff), which people find easier to read than the longest answer.
func Match(a, b []string) []Pair {
	m := matcher{a: a, b: b}
	m.match(0, len(a), 0, len(b), 0)
	return m.pairs
}

type matcher struct {
	a, b  []string
	pairs []Pair
}

// match pairs the elements of two ranges.
func (m *matcher) match(a0, a1, b0, b1, depth int) {
	for a0 < a1 && b0 < b1 && m.a[a0] == m.b[b0] {
		m.pairs = append(m.pairs, Pair{a0, b0})
		a0, b0 = a0+1, b0+1
	}
	same := 0
	for same < a1-a0 && same < b1-b0 && m.a[a1-1-same] == m.b[b1-1-same] {
		same++
	}
	endA, endB := a1-same, b1-same
	for _, p := range m.anchors(a0, endA, b0, endB) {
		m.between(a0, p.A, b0, p.B, depth)
		m.pairs = append(m.pairs, p)
		a0, b0 = p.A+1, p.B+1
	}
	m.between(a0, endA, b0, endB, depth)
	for i := range same {
		m.pairs = append(m.pairs, Pair{endA + i, endB + i})
	}
}

// between pairs what stands between two anchors.
func (m *matcher) between(a0, a1, b0, b1, depth int) {
	if depth < maxDepth && a0 < a1 && b0 < b1 && (m.a[a0] == m.b[b0] || m.a[a1-1] == m.b[b1-1]) {
		m.match(a0, a1, b0, b1, depth+1)
	}
}

// anchors are the elements that stand once in each range, as many of them as keep their order.
func (m *matcher) anchors(a0, a1, b0, b1 int) []Pair {
	if a0 == a1 || b0 == b1 {
		return nil
	}
	type place struct{ inA, inB, b int }
	places := make(map[string]*place, a1-a0)
	for _, text := range m.a[a0:a1] {
		p := places[text]
		if p == nil {
			p = &place{}
			places[text] = p
		}
		p.inA++
	}
	for i := b0; i < b1; i++ {
		if p := places[m.b[i]]; p != nil {
			p.inB, p.b = p.inB+1, i
		}
	}
	var once []Pair
	for i := a0; i < a1; i++ {
		if p := places[m.a[i]]; p.inA == 1 && p.inB == 1 && strings.TrimSpace(m.a[i]) != "" {
			once = append(once, Pair{i, p.b})
		}
	}
	return increasing(once)
}

// increasing is the longest part of pairs, which are in order of A, that is in order of B too.
func increasing(pairs []Pair) []Pair {
	var tops []int // the last pair of the best chain of each length
	before := make([]int, len(pairs))
	for i, p := range pairs {
		at, _ := slices.BinarySearchFunc(tops, p.B, func(top, b int) int { return pairs[top].B - b })
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
	chain := make([]Pair, len(tops))
	for at, i := len(tops)-1, tops[len(tops)-1]; at >= 0; at, i = at-1, before[i] {
		chain[at] = pairs[i]
	}
	return chain
}
