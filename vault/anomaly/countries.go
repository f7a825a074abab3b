package anomaly

import (
	"cmp"
	"slices"
)

// visit is a country that a person's addresses were in.
type visit struct {
	country     [2]byte
	first, last int64
}

// country applies the rule about countries. What is learnt begins with the
// first address whose country is known: there may be no [Locator] before.
func (j *Judge) country(c *check, where place) {
	if !where.known() {
		return
	}
	h, t, rule := c.history, c.now, j.cfg.Rules.NewCountry
	if h.located == 0 {
		h.located = t
	}
	i := slices.IndexFunc(h.visits, func(v visit) bool { return v.country == where.country })
	// As with networks, time away does not count; see there.
	if i < 0 || h.netLast-h.visits[i].last > seconds(rule.Memory) {
		if t-h.located >= seconds(rule.Learn) {
			c.alarm(RuleNewCountry, 1, 0, "a country in which the person was not in the last "+short(rule.Memory)+" of activity: "+string(where.country[:]))
		}
		h.visits = slices.DeleteFunc(h.visits, func(v visit) bool { return v.country == where.country })
		h.visits = latest(append(h.visits, visit{where.country, t, t}))
		return
	}
	h.visits[i].last = max(h.visits[i].last, t)
}

// latest keeps as many visits as a history may have, the latest first.
func latest(visits []visit) []visit {
	slices.SortStableFunc(visits, func(a, b visit) int { return cmp.Compare(b.last, a.last) })
	return visits[:min(len(visits), maxVisits)]
}

// mergeVisits is [History.Merge] for countries.
func (h *History) mergeVisits(o *History) {
	h.located = earliest(h.located, o.located)
	h.visits = slices.Clone(h.visits)
	for _, v := range o.visits {
		i := slices.IndexFunc(h.visits, func(have visit) bool { return have.country == v.country })
		if i < 0 {
			h.visits = append(h.visits, v)
			continue
		}
		h.visits[i].first, h.visits[i].last = earliest(h.visits[i].first, v.first), max(h.visits[i].last, v.last)
	}
	h.visits = latest(h.visits)
}

// abroad reports whether two places are in two countries of which one is new to
// the person. Who works from two, by a VPN or near a border, is not abroad.
func (h *History) abroad(a, b place, now int64) bool {
	if !a.known() || !b.known() || a.country == b.country {
		return false
	}
	if h.located > h.netFirst && now-h.located < settled {
		return false // a Locator that came later does not know yet what belongs to whom
	}
	return h.fresh(a, now) || h.fresh(b, now)
}

// fresh reports whether a country does not belong to the person yet.
func (h *History) fresh(at place, now int64) bool {
	return !slices.ContainsFunc(h.visits, func(v visit) bool { return v.country == at.country && now-v.first >= settled })
}

// between names the countries of two places, as far as they differ.
func between(from, to place) string {
	if from.country == to.country {
		return ", in " + string(to.country[:])
	}
	return ": " + string(from.country[:]) + " and " + string(to.country[:])
}
