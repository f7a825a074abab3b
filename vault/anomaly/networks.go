package anomaly

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
)

const (
	// farApart is the distance in km of two networks that nobody uses at once.
	farApart = 500
	// settled is the age at which a network or a country belongs to a person,
	// in seconds.
	settled = 24 * 3600
	// earth is its radius in km.
	earth = 6371
	// noPoint is a latitude that stands for not knowing it.
	noPoint = math.MinInt16
)

// place is roughly where a network is: to a hundredth of a degree.
type place struct {
	country  [2]byte // zero where nothing is known
	lat, lon int16
}

func (p place) known() bool { return p.country != [2]byte{} }

// network is the network of an address that counts. It is not valid for one
// that says nothing of where somebody is.
func networkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || !addr.IsGlobalUnicast() || addr.IsPrivate() || shared().Contains(addr) {
		return netip.Prefix{}
	}
	bits := 24
	if addr.Is6() {
		bits = 48
	}
	network, _ := addr.Prefix(bits) // fits, as both are of one kind
	return network
}

// shared are the addresses of providers' own networks (RFC 6598).
func shared() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) }

// networks applies the rules about networks and countries.
func (j *Judge) networks(c *check, o Observation) {
	prefix := networkOf(o.Address)
	if !prefix.IsValid() {
		return
	}
	h, t := c.history, c.now
	mark, family := j.mark("network", prefix.String()), 0
	if prefix.Addr().Is6() {
		family = 1
	}
	where := j.locate(o.Address)
	if h.netFirst == 0 {
		h.netFirst, h.netLast = t, t
	}
	i := slices.IndexFunc(h.networks, func(n network) bool { return n.mark == mark })
	// Time away does not make anybody forget: it is the last activity that
	// counts and not the present.
	if memory := seconds(j.cfg.Rules.NewNetwork.Memory); i < 0 || h.netLast-h.networks[i].last > memory {
		if t-h.netFirst >= seconds(j.cfg.Rules.NewNetwork.Learn) {
			c.alarm(RuleNewNetwork, 1, 0, stranger(where, short(j.cfg.Rules.NewNetwork.Memory)))
		}
		h.forget(i)
		h.networks = append(h.networks, network{mark: mark, first: t})
		i = len(h.networks) - 1
	}
	h.networks[i].place = where
	j.country(c, where)
	j.distant(c, i, family)
	h.networks[i].last, h.at[family], h.netLast = t, mark, t
}

// stranger describes a network that was not seen before.
func stranger(where place, memory string) string {
	text := "a network that was not used in the last " + memory + " of activity"
	if where.known() {
		text += ", in " + string(where.country[:])
	}
	return text
}

// forget makes room for one more network; i is one that is replaced, if it is
// not negative.
func (h *History) forget(i int) {
	if i < 0 {
		if len(h.networks) < maxNetworks {
			return
		}
		oldest := slices.MinFunc(h.networks, func(a, b network) int { return cmp.Compare(a.last, b.last) })
		i = slices.Index(h.networks, oldest)
	}
	h.networks = slices.Delete(h.networks, i, i+1)
}

// distant looks for another network that is used at the same time as number i.
func (j *Judge) distant(c *check, i, family int) {
	h, t, rule := c.history, c.now, j.cfg.Rules.DistantNetworks
	here := &h.networks[i]
	for k := range h.networks {
		there := &h.networks[k]
		if k == i || there.last == 0 || t-there.last > seconds(rule.Within) {
			continue
		}
		km, known := distance(here.place, there.place)
		switch {
		case known && km >= farApart:
			c.alarm(RuleDistantNetworks, km, farApart, fmt.Sprintf("two networks %.0f km apart within %s%s", km, short(rule.Within), between(there.place, here.place)))
			return
		case !known && h.abroad(there.place, here.place, t):
			c.alarm(RuleDistantNetworks, 2, 0, fmt.Sprintf("two countries within %s%s", short(rule.Within), between(there.place, here.place)))
			return
		}
	}
	// A laptop that has both changes between IPv4 and IPv6 as it likes.
	was := h.at[family]
	if was == 0 || was == here.mark {
		return
	}
	k := slices.IndexFunc(h.networks, func(n network) bool { return n.mark == was })
	if k < 0 || t-h.networks[k].last > seconds(rule.Within) {
		return
	}
	there := h.networks[k]
	if km, known := distance(here.place, there.place); known && km < farApart || t-max(here.first, there.first) >= settled {
		return
	}
	n := h.changes.add(t, rule.Within)
	c.count(RuleDistantNetworks, n, rule.Changes, "changes between two networks within "+short(rule.Within))
}

// locate is where an address is.
func (j *Judge) locate(addr netip.Addr) place {
	if j.cfg.Locate == nil {
		return place{}
	}
	at, ok := j.cfg.Locate.Locate(addr)
	if !ok || len(at.Country) != 2 {
		return place{}
	}
	country := [2]byte([]byte(at.Country))
	if !at.Point || !(math.Abs(at.Lat) <= 90) || !(math.Abs(at.Lon) <= 180) { // nor if it is no number
		return place{country: country, lat: noPoint}
	}
	return place{country, int16(at.Lat * 100), int16(at.Lon * 100)}
}

// distance is along the surface, in km.
func distance(a, b place) (km float64, known bool) {
	if !a.known() || !b.known() || a.lat == noPoint || b.lat == noPoint {
		return 0, false
	}
	radians := func(hundredths int16) float64 { return float64(hundredths) / 100 * math.Pi / 180 }
	lat1, lat2 := radians(a.lat), radians(b.lat)
	dLat, dLon := lat2-lat1, radians(b.lon)-radians(a.lon)
	x := math.Pow(math.Sin(dLat/2), 2) + math.Cos(lat1)*math.Cos(lat2)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * earth * math.Asin(math.Sqrt(min(x, 1))), true
}
