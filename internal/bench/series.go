package bench

import (
	"math"
	"slices"
)

// series is what was measured of one thing, round by round.
type series [][]float64

// add notes a value of a round.
func (s *series) add(round int, value float64) {
	for len(*s) <= round {
		*s = append(*s, nil)
	}
	(*s)[round] = append((*s)[round], value)
}

// all is every value, sorted.
func (s series) all() []float64 {
	values := slices.Concat(s...)
	slices.Sort(values)
	return values
}

// percentile returns the p-th part (0 to 1) of sorted values, NaN of none.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := p * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(at-float64(low))
}

func (s series) median() float64 { return percentile(s.all(), 0.5) }

// ratio is the median, over the rounds that have both, of how the medians of
// the two compare; NaN without such a round.
func (s series) ratio(to series) float64 {
	var ratios []float64
	for i := range min(len(s), len(to)) {
		mine, others := slices.Sorted(slices.Values(s[i])), slices.Sorted(slices.Values(to[i]))
		if len(mine) > 0 && len(others) > 0 {
			ratios = append(ratios, percentile(mine, 0.5)/percentile(others, 0.5))
		}
	}
	slices.Sort(ratios)
	return percentile(ratios, 0.5)
}
