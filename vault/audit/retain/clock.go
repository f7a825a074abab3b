package retain

import (
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

const (
	// slack is how far apart the clocks of replicas may be: records of a chain
	// are in the order of their times but for this.
	slack = time.Hour
	// window is how many records are asked what time it was.
	window = 100
	// enough of them must agree that another one's clock was ahead.
	enough = 3
)

// clock tells when records were written, those of a chain in order. Their own
// times are from the clocks of many replicas, of which one may be wrong by
// years: a time counts only if it fits between those around it.
type clock struct {
	now  time.Time
	last time.Time // the latest that counted so far
}

// written returns when list[0] was written, behind which are the records that
// follow it. If its own time does not count, that is when the next one was
// written whose does: no record seems older than it is, and none is kept for
// what another one's clock said. If there is none, it may have been now.
func (c *clock) written(list []audit.Record) time.Time {
	for i := range list[:min(len(list), window)] {
		if !c.fits(list[i:]) {
			continue
		}
		if at := list[i].Time; i > 0 || at.Before(c.last) {
			return at
		}
		c.last = list[0].Time
		return c.last
	}
	return c.now
}

// fits reports whether the time of list[0] is not of the future, not before what
// was already, and not later than what most say that follow it and fit so far
// themselves.
func (c *clock) fits(list []audit.Record) bool {
	at := list[0].Time
	if at.After(c.now.Add(slack)) || at.Before(c.last.Add(-slack)) {
		return false
	}
	if c.last.IsZero() { // nothing tells which of them are right: this one stays longer
		return true
	}
	others, among := 0, 0 // that say it was earlier, of those up to the last that does
	for i, r := range list[1:min(len(list), window)] {
		if r.Time.Before(at.Add(-slack)) && !r.Time.Before(c.last.Add(-slack)) {
			others, among = others+1, i+1
		}
	}
	return others < enough || 2*others <= among
}
