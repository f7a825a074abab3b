package anomaly

import (
	"cmp"
	"slices"
	"time"
)

// Bounds of a history.
const (
	maxNetworks = 32
	maxSpaces   = 4
	maxVisits   = 16
	hoursOfWeek = 7 * 24
	windowParts = 6
	sketchParts = 4 // of the hour
	sketchWords = 16
	// clockBack is how much time may go back: the clocks of vaults differ.
	clockBack = 3600
)

// History is the summary of what a person does. The zero value is somebody who
// was never seen. Times are Unix seconds, 0 for never.
type History struct {
	first, last int64
	netFirst    int64 // of addresses that count
	netLast     int64
	networks    []network // at most maxNetworks, each mark once
	at          [2]uint64 // the latest network, of IPv4 and IPv6
	changes     window
	calls       calls
	hourLast    int64 // number of the hour that was counted last
	hourCount   uint32
	week        int64              // number of the week in which hours faded last
	hour        [hoursOfWeek]uint8 // Monday 0:00 UTC first
	denials     window
	failures    window
	spaces      []space // at most maxSpaces, the latest last
	alarmed     [ruleCount]int64
	located     int64   // when the first place was known
	visits      []visit // at most maxVisits, each country once
}

// network is a network that a person used.
type network struct {
	mark        uint64
	first, last int64
	place       place
}

// calls is how many calls there are in 5 minutes.
type calls struct {
	slot      int64
	n         uint32
	windows   uint32 // with calls, that ended
	mean, dev float32
}

// window counts what happened within a time, in parts of it.
type window struct {
	part int64 // number of the last part
	n    [windowParts]uint16
}

// space is which pages of a space were read in the last hour: a bit for each,
// at a place that its mark gives, in quarters of the hour.
type space struct {
	mark uint64
	part int64 // number of the last quarter
	bits [sketchParts][sketchWords]uint64
}

// begin is the time of an observation, which does not go back a little.
func (h *History) begin(at time.Time) int64 {
	t := max(at.Unix(), 1)
	if t < h.last && h.last-t < clockBack {
		t = h.last
	}
	if h.first == 0 || t < h.first {
		h.first = t
	}
	return t
}

// Last is when the person was last seen.
func (h *History) Last() time.Time { return time.Unix(h.last, 0).UTC() }

// add counts one more at t and returns how many there were within a time.
func (w *window) add(t int64, within time.Duration) int {
	step := max(seconds(within)/windowParts, 1)
	w.turn(t / step)
	i := int(w.part % windowParts)
	if w.n[i] < 1<<16-1 {
		w.n[i]++
	}
	total := 0
	for _, n := range w.n {
		total += int(n)
	}
	return total
}

// turn forgets the parts that are over at the part to.
func (w *window) turn(to int64) {
	if to < w.part || to-w.part >= windowParts {
		*w = window{part: to}
		return
	}
	for w.part < to {
		w.part++
		w.n[w.part%windowParts] = 0
	}
}

// Merge adds to h what another vault knows of the same person. What both know
// counts once where that can be told; it is not exact.
func (h *History) Merge(o *History) {
	h.first = earliest(h.first, o.first)
	h.netFirst = earliest(h.netFirst, o.netFirst)
	if o.netLast > h.netLast {
		h.at = o.at
	}
	h.last, h.netLast = max(h.last, o.last), max(h.netLast, o.netLast)
	h.networks = slices.Clone(h.networks)
	for _, n := range o.networks {
		i := slices.IndexFunc(h.networks, func(have network) bool { return have.mark == n.mark })
		if i < 0 {
			h.networks = append(h.networks, n)
			continue
		}
		h.networks[i].first, h.networks[i].last = earliest(h.networks[i].first, n.first), max(h.networks[i].last, n.last)
		if !h.networks[i].place.known() {
			h.networks[i].place = n.place
		}
	}
	slices.SortFunc(h.networks, func(a, b network) int { return cmp.Compare(b.last, a.last) })
	h.networks = h.networks[:min(len(h.networks), maxNetworks)]
	h.changes.merge(o.changes)
	h.denials.merge(o.denials)
	h.failures.merge(o.failures)
	if o.calls.windows > h.calls.windows {
		h.calls.windows, h.calls.mean, h.calls.dev = o.calls.windows, o.calls.mean, o.calls.dev
	}
	if o.calls.slot > h.calls.slot {
		h.calls.slot, h.calls.n = o.calls.slot, o.calls.n
	}
	h.hourLast, h.hourCount, h.week = max(h.hourLast, o.hourLast), max(h.hourCount, o.hourCount), max(h.week, o.week)
	for i := range h.hour {
		h.hour[i] = max(h.hour[i], o.hour[i])
	}
	for i := range h.alarmed {
		h.alarmed[i] = max(h.alarmed[i], o.alarmed[i])
	}
	h.mergeVisits(o)
	h.mergeSpaces(o.spaces)
}

func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// merge keeps the larger count of each part that is still of use.
func (w *window) merge(o window) {
	if o.part > w.part {
		*w, o = o, *w
	}
	for part := max(o.part-windowParts+1, w.part-windowParts+1, 0); part <= o.part; part++ {
		i := part % windowParts
		w.n[i] = max(w.n[i], o.n[i])
	}
}
