package anomaly_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
)

// borders knows countries and no points: two of its addresses are in Germany.
type borders map[netip.Addr]string

func (b borders) Locate(addr netip.Addr) (anomaly.Place, bool) {
	country, known := b[addr]
	return anomaly.Place{Country: country}, known
}

var (
	brazil = netip.MustParseAddr("192.0.2.1")
	dutch  = netip.MustParseAddr("192.88.98.1")
	map1   = borders{home: "DE", office: "DE", brazil: "BR", dutch: "NL"}
)

// evening is after work, on a day of a person's second week.
const evening = 11*day + 17*time.Hour + 20*time.Minute

func TestCountries(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*anomaly.Config)
		live   func(p *person)
		want   string
	}{
		"a country after a week":         {nil, func(p *person) { p.calls(monday.Add(evening), brazil, 3) }, "new_network new_country"},
		"another network of the country": {nil, func(p *person) { p.calls(monday.Add(evening), office, 3) }, "new_network"},
		"nobody knows where": {nil, func(p *person) {
			p.calls(monday.Add(evening), netip.MustParseAddr("192.31.195.1"), 3)
		}, "new_network"},
		"the country is known then": {nil, func(p *person) {
			p.calls(monday.Add(evening), brazil, 3)
			p.calls(monday.Add(evening+3*day), brazil, 3)
		}, "new_network new_country"},
		"a network of an hour ago hides no country": {nil, func(p *person) {
			p.calls(monday.Add(evening), office, 1)
			p.calls(monday.Add(evening+30*time.Minute), brazil, 1)
		}, "new_network new_country"},
		"a country of long ago": {func(c *anomaly.Config) {
			c.Rules.NewNetwork.Action, c.Rules.UnusualHours.Action = anomaly.Off, anomaly.Off
		}, func(p *person) {
			p.calls(monday.Add(12*day), brazil, 1)
			p.works(monday.Add(14*day), 90, 9, 17, 1, home)
			p.calls(monday.Add(104*day), brazil, 1)
		}, "new_country new_country"},
		"the rule is off":             {func(c *anomaly.Config) { c.Rules.NewCountry.Action = anomaly.Off }, func(p *person) { p.calls(monday.Add(evening), brazil, 3) }, "new_network"},
		"two countries at once":       {quietly, func(p *person) { p.calls(monday.Add(evening-30*time.Minute), dutch, 1) }, "distant_networks"},
		"two networks of one at once": {quietly, func(p *person) { p.calls(monday.Add(evening-30*time.Minute), office, 1) }, ""},
		"home in two countries at last": {quietly, func(p *person) {
			p.calls(monday.Add(evening), dutch, 1)
			for i := range 9 {
				p.calls(monday.Add(14*day+9*time.Hour+time.Duration(i)*time.Minute), []netip.Addr{home, dutch}[i%2], 1)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(func(c *anomaly.Config) {
				c.Locate = map1
				if test.change != nil {
					test.change(c)
				}
			})
			p.works(monday, 12, 9, 17, 8, home)
			test.live(p)
			if got := p.rules(); got != test.want {
				t.Errorf("alarms: %q, want %q: %+v", got, test.want, p.alarms)
			}
			roundTrip(t, &p.history)
		})
	}
}

// quietly has only what is found of two networks at once.
func quietly(c *anomaly.Config) {
	c.Rules.NewNetwork.Action, c.Rules.NewCountry.Action = anomaly.Off, anomaly.Off
}

func TestTheTextOfTwoCountries(t *testing.T) {
	p := newPerson(func(c *anomaly.Config) { c.Locate = map1 })
	p.calls(monday, home, 1)
	p.calls(monday.Add(9*time.Minute), brazil, 1)
	q := newPerson(located)
	q.calls(monday, home, 1)
	q.calls(monday.Add(9*time.Minute), brazil, 1)
	want := []anomaly.Alarm{
		{anomaly.RuleDistantNetworks, anomaly.Log, 2, 0, "two countries within 10 min: DE and BR"},
		{anomaly.RuleDistantNetworks, anomaly.Log, 10252, 500, "two networks 10252 km apart within 10 min: DE and BR"},
	}
	got := slices.Concat(p.alarms, q.alarms)
	for i := range got {
		got[i].Value = float64(int(got[i].Value + 0.5))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCountriesFromThenOn: a vault that gets to know countries later has a time
// to learn them, too, and until then writes histories as older ones do.
func TestCountriesFromThenOn(t *testing.T) {
	p := newPerson(nil)
	p.works(monday, 12, 9, 17, 8, home)
	if blob := p.history.Append(nil); blob[0] != 1 {
		t.Errorf("without countries it is written as version %d", blob[0])
	}
	p.judge = newPerson(func(c *anomaly.Config) { c.Locate = map1; c.Rules.NewNetwork.Action = anomaly.Off }).judge
	at := func(d int) time.Time { return monday.Add(time.Duration(d)*day + 12*time.Hour) }
	p.calls(at(14), home, 1)
	if blob := p.history.Append(nil); blob[0] != 2 {
		t.Errorf("with countries it is written as version %d", blob[0])
	}
	p.calls(at(14).Add(5*time.Minute), dutch, 1)
	if p.rules() != "" {
		t.Errorf("on the first day: %+v", p.alarms)
	}
	p.calls(at(22), brazil, 1)
	if p.rules() != "new_country" {
		t.Errorf("on the ninth day: %+v", p.alarms)
	}
}

// TestMergeCountries: what one vault knows of countries the other knows then.
func TestMergeCountries(t *testing.T) {
	one, two := newPerson(func(c *anomaly.Config) { c.Locate = map1 }), newPerson(func(c *anomaly.Config) { c.Locate = map1 })
	one.works(monday, 12, 9, 17, 8, home)
	two.works(monday, 12, 9, 17, 3, dutch)
	one.history.Merge(&two.history)
	roundTrip(t, &one.history)
	one.calls(monday.Add(evening), dutch, 1)
	one.calls(monday.Add(evening+time.Minute), home, 1)
	if one.rules() != "" {
		t.Errorf("a country that the other knew: %+v", one.alarms)
	}
	again := one.history
	again.Merge(&two.history)
	if diff := cmp.Diff(one.history.Append(nil), again.Append(nil)); diff != "" {
		t.Errorf("what is known already changes it:\n%s", diff)
	}
}

// TestManyCountries: a history has room for some, and keeps the latest.
func TestManyCountries(t *testing.T) {
	world := borders{}
	p := newPerson(func(c *anomaly.Config) { c.Locate = world; c.Rules.Quiet = time.Minute })
	for i := range 100 {
		addr := netip.AddrFrom4([4]byte{192, 31, byte(i), 1})
		world[addr] = string([]byte{'A' + byte(i/10), 'A' + byte(i%10)})
		p.calls(monday.Add(time.Duration(i)*day), addr, 1)
		roundTrip(t, &p.history)
	}
	p.alarms = nil
	p.calls(monday.Add(100*day), netip.AddrFrom4([4]byte{192, 31, 90, 1}), 1)
	if p.rules() != "" {
		t.Errorf("one of ten days ago: %+v", p.alarms)
	}
}
