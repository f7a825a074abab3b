package anomaly

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	callsWindow = 300 // seconds
	// learnWindows are so many windows with calls before their mean says
	// something, and memoryWindows how many it remembers.
	learnWindows, memoryWindows = 12, 40
	// learnHours are so many active hours before others are unusual.
	learnHours   = 24
	learnTime    = weekSeconds
	learnDays    = 4 * weekSeconds // and before other days are
	hourStep     = 32              // of 255: what one active hour counts
	weekSeconds  = 7 * 24 * 3600
	fade         = 8 // the part of all that a week takes away
	sketchBits   = sketchWords * 64
	sketchWindow = 3600 / sketchParts
	// thursday is the day of the week of the Unix epoch, from Monday.
	thursday = 3
)

// burst counts a call.
func (j *Judge) burst(c *check) {
	k, rule := &c.history.calls, j.cfg.Rules.Burst
	limit := k.limit(rule)
	if slot := c.now / callsWindow; slot != k.slot {
		k.turn(slot, limit)
		limit = k.limit(rule)
	}
	if k.n < math.MaxUint32 {
		k.n++
	}
	if n := float64(k.n); k.windows >= learnWindows && n > limit {
		c.alarm(RuleBurst, n, math.Round(limit), fmt.Sprintf("%d calls in 5 min, usually %.0f", k.n, k.mean))
	}
}

// limit is how many calls are not unusual. Even somebody who is very regular
// has the spread of a random process.
func (k *calls) limit(rule Burst) float64 {
	mean, dev := float64(k.mean), float64(k.dev)
	spread := max(dev, math.Sqrt(mean), 1)
	return max(float64(rule.Floor), mean+float64(rule.Deviations)*spread)
}

// turn ends a window. One that was unusual teaches no more than the limit, so
// that nobody makes a burst usual at once.
func (k *calls) turn(slot int64, limit float64) {
	if n := float64(k.n); n > 0 {
		if k.windows >= learnWindows {
			n = min(n, limit)
		}
		weight := 1 / float64(min(k.windows+1, memoryWindows))
		mean, dev := float64(k.mean), float64(k.dev)
		apart := n - mean
		if k.windows > 0 {
			dev += weight * (math.Abs(apart) - dev)
		}
		k.mean, k.dev = float32(mean+weight*apart), float32(dev)
		if k.windows < math.MaxUint32 {
			k.windows++
		}
	}
	k.slot, k.n = slot, 0
}

// hours counts an hour in which there was something, once.
func (j *Judge) hours(c *check) {
	h := c.history
	number := c.now / 3600
	if number == h.hourLast {
		return
	}
	of := int((number + thursday*24) % hoursOfWeek)
	if c.now-h.first >= learnTime && h.hourCount >= learnHours {
		if percent := h.share(of, c.now-h.first >= learnDays && h.hourCount >= 4*learnHours); percent < float64(j.cfg.Rules.UnusualHours.Percent) {
			c.alarm(RuleUnusualHours, math.Round(percent*10)/10, float64(j.cfg.Rules.UnusualHours.Percent),
				fmt.Sprintf("active on a %s at %d:00 UTC, which is %.1f %% of the person's time", weekday(of), of%24, percent))
		}
	}
	if week := (c.now + thursday*24*3600) / weekSeconds; week != h.week {
		if h.week != 0 { // a time away fades no more than a week
			for i := range h.hour {
				h.hour[i] -= uint8((int(h.hour[i]) + fade - 1) / fade)
			}
		}
		h.week = week
	}
	h.hour[of] = uint8(min(int(h.hour[of])+hourStep, math.MaxUint8))
	h.hourLast = number
	if h.hourCount < math.MaxUint32 {
		h.hourCount++
	}
}

// share is how much of the activity is about this hour of the day, in percent.
// Whether it is on a day of the week without any counts once there were some of
// each: days tells.
func (h *History) share(of int, days bool) float64 {
	var total, near, sameDay float64
	for i, n := range h.hour {
		total += float64(n)
		if apart := (i - of + hoursOfWeek) % 24; apart <= 1 || apart == 23 {
			near += float64(n)
		}
		if i/24 == of/24 {
			sameDay += float64(n)
		}
	}
	if total == 0 {
		return 0
	}
	share := near / total
	if days {
		share = min(share, sameDay/total)
	}
	return share * 100
}

func weekday(of int) string { return time.Weekday((of/24 + 1) % 7).String() }

// pages counts the different pages of each space.
func (j *Judge) pages(c *check, pages []Page) {
	for _, p := range pages {
		if p.Space == "" || p.ID == "" {
			continue
		}
		s := c.history.space(j.mark("space", p.Space))
		s.turn(c.now / sketchWindow)
		bit := j.mark("page", p.ID) % sketchBits
		s.bits[s.part%sketchParts][bit/64] |= 1 << (bit % 64)
		if n, limit := s.count(), j.cfg.Rules.MassReading.Pages; n >= limit {
			c.alarm(RuleMassReading, float64(n), float64(limit), fmt.Sprintf("about %d different pages of one space within an hour", n))
		}
	}
}

// space returns the space of a mark as the latest; the one that was not read
// for longest makes room.
func (h *History) space(mark uint64) *space {
	i := slices.IndexFunc(h.spaces, func(s space) bool { return s.mark == mark })
	s := space{mark: mark}
	switch {
	case i >= 0 && i == len(h.spaces)-1:
		return &h.spaces[i]
	case i >= 0:
		s = h.spaces[i]
		h.spaces = slices.Delete(h.spaces, i, i+1)
	case len(h.spaces) >= maxSpaces:
		h.spaces = slices.Delete(h.spaces, 0, 1)
	}
	h.spaces = append(h.spaces, s)
	return &h.spaces[len(h.spaces)-1]
}

// turn forgets the quarters that are over at the quarter to.
func (s *space) turn(to int64) {
	if to < s.part || to-s.part >= sketchParts {
		*s = space{mark: s.mark, part: to}
		return
	}
	for s.part < to {
		s.part++
		s.bits[s.part%sketchParts] = [sketchWords]uint64{}
	}
}

// count estimates the different pages from the bits that they left alone
// (linear counting: Whang, Vander-Zanden, Taylor 1990), to a few percent.
func (s *space) count() int {
	set := 0
	for word := range sketchWords {
		var all uint64
		for part := range sketchParts {
			all |= s.bits[part][word]
		}
		set += bits.OnesCount64(all)
	}
	left := max(sketchBits-set, 1)
	return int(math.Round(-sketchBits * math.Log(float64(left)/sketchBits)))
}

func (h *History) mergeSpaces(others []space) {
	h.spaces = slices.Clone(h.spaces)
	for _, o := range others {
		i := slices.IndexFunc(h.spaces, func(s space) bool { return s.mark == o.mark })
		if i < 0 {
			h.spaces = append(h.spaces, o)
			continue
		}
		h.spaces[i].merge(o)
	}
	slices.SortStableFunc(h.spaces, func(a, b space) int { return cmp.Compare(a.part, b.part) })
	h.spaces = h.spaces[max(len(h.spaces)-maxSpaces, 0):]
}

func (s *space) merge(o space) {
	if o.part > s.part {
		*s, o = o, *s
	}
	for part := max(o.part-sketchParts+1, s.part-sketchParts+1, 0); part <= o.part; part++ {
		for word := range sketchWords {
			s.bits[part%sketchParts][word] |= o.bits[part%sketchParts][word]
		}
	}
}
