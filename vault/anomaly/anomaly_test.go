package anomaly_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
)

// monday is 2026-01-05 00:00 UTC.
var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

var (
	home   = netip.MustParseAddr("198.51.100.7")
	office = netip.MustParseAddr("203.0.113.9")
	home6  = netip.MustParseAddr("2001:db8:1::7")
	inside = netip.MustParseAddr("10.1.2.3")
)

// person is somebody whose alarms a test collects.
type person struct {
	judge   *anomaly.Judge
	history anomaly.History
	alarms  []anomaly.Alarm
	random  *rand.Rand
	page    int
}

func newPerson(change func(*anomaly.Config)) *person {
	cfg := anomaly.Config{Rules: anomaly.Defaults(), Key: []byte("0123456789abcdef")}
	if change != nil {
		change(&cfg)
	}
	return &person{judge: anomaly.New(cfg), random: rand.New(rand.NewPCG(1, 2))}
}

func (p *person) does(o anomaly.Observation) {
	p.alarms = append(p.alarms, p.judge.Observe(&p.history, o)...)
}

func (p *person) calls(at time.Time, from netip.Addr, n int) {
	for i := range n {
		p.does(anomaly.Observation{Kind: anomaly.Call, Time: at.Add(time.Duration(i) * time.Second), Address: from})
	}
}

// works is what somebody does on working days from a Monday on: at the given
// hours some calls each few minutes, with pages of a space.
func (p *person) works(from time.Time, days, begin, end, perWindow int, address netip.Addr) {
	for d := range days {
		at := from.Add(time.Duration(d) * day)
		if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			continue
		}
		for minute := begin * 60; minute < end*60; minute += 5 {
			for range p.random.IntN(perWindow + 1) {
				p.page++
				p.does(anomaly.Observation{
					Kind: anomaly.Call, Address: address, Time: at.Add(time.Duration(minute)*time.Minute + time.Duration(p.random.IntN(300))*time.Second),
					Pages: []anomaly.Page{{Space: "ENG", ID: fmt.Sprint(p.page % 100)}},
				})
			}
		}
	}
}

func (p *person) rules() string {
	var all []string
	for _, a := range p.alarms {
		all = append(all, string(a.Rule))
	}
	return strings.Join(all, " ")
}

// atlas knows where the addresses of the tests are.
type atlas struct{}

func (atlas) Locate(addr netip.Addr) (anomaly.Place, bool) {
	switch addr {
	case home:
		return anomaly.Place{Country: "DE", Point: true, Lat: 52.52, Lon: 13.40}, true // Berlin
	case office:
		return anomaly.Place{Country: "DE", Point: true, Lat: 52.39, Lon: 13.06}, true // Potsdam
	case netip.MustParseAddr("192.0.2.1"):
		return anomaly.Place{Country: "BR", Point: true, Lat: -23.55, Lon: -46.63}, true // São Paulo
	}
	return anomaly.Place{}, false
}

func located(cfg *anomaly.Config) { cfg.Locate = atlas{} }

// TestRules has histories that are unusual and ones that are not.
func TestRules(t *testing.T) {
	abroad := netip.MustParseAddr("192.0.2.1")
	week := 7 * day
	for name, test := range map[string]struct {
		change func(*anomaly.Config)
		live   func(p *person)
		want   string
	}{
		"a newcomer's first days": {nil, func(p *person) {
			p.calls(monday.Add(9*time.Hour), home, 200)
			p.calls(monday.Add(23*time.Hour), office, 300)
			p.calls(monday.Add(3*day+4*time.Hour), abroad, 30)
			p.calls(monday.Add(5*day), home6, 30)
		}, ""},
		"an ordinary month": {nil, func(p *person) {
			for d := range 28 {
				p.works(monday.Add(time.Duration(d)*day), 1, 9, 17, 8, []netip.Addr{home, office}[d%2])
			}
		}, ""},
		"a steady heavy user": {nil, func(p *person) { p.works(monday, 9, 0, 24, 150, home) }, ""},
		"six weeks of holidays": {nil, func(p *person) {
			p.works(monday, 28, 9, 17, 20, home)
			p.works(monday.Add(10*week), 5, 9, 17, 20, home)
		}, ""},
		"summer time begins": {nil, func(p *person) {
			p.works(monday, 28, 9, 17, 20, home)
			p.works(monday.Add(4*week), 5, 8, 16, 20, home)
		}, ""},
		"a network after a week": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+12*time.Hour), office, 3)
		}, "new_network"},
		"a neighbour in the network": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+12*time.Hour), netip.MustParseAddr("198.51.100.200"), 3)
		}, ""},
		"a neighbour in IPv6": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home6)
			p.calls(monday.Add(11*day+12*time.Hour), netip.MustParseAddr("2001:db8:1:ffff::1"), 3)
		}, ""},
		"inside, at last": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+12*time.Hour), inside, 3)
			p.calls(monday.Add(11*day+13*time.Hour), netip.MustParseAddr("100.64.9.9"), 3)
		}, ""},
		"an address that nobody knows": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+12*time.Hour), netip.Addr{}, 3)
		}, ""},
		"an IPv4 address that came as 6": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+12*time.Hour), netip.MustParseAddr("::ffff:198.51.100.7"), 3)
		}, ""},
		"a network of long ago": {nil, func(p *person) {
			p.works(monday, 4, 9, 17, 8, office)
			p.works(monday.Add(4*day), 43, 9, 17, 8, home)
			p.calls(monday.Add(7*week+12*time.Hour), office, 1)
		}, "new_network"},
		"the new network is known then": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+12*time.Hour), office, 3)
			p.calls(monday.Add(14*day+12*time.Hour), office, 3)
		}, "new_network"},
		"from home to the office": {nil, func(p *person) { p.calls(monday, home, 5); p.calls(monday.Add(5*time.Minute), office, 5) }, ""},
		"from two networks at once": {nil, func(p *person) {
			for i := range 5 {
				p.calls(monday.Add(time.Duration(i)*time.Minute), []netip.Addr{home, office}[i%2], 1)
			}
		}, "distant_networks"},
		"from two networks that one has for weeks": {nil, func(p *person) {
			for d := range 3 {
				p.calls(monday.Add(time.Duration(d)*day), home, 1)
				p.calls(monday.Add(time.Duration(d)*day+time.Hour), office, 1)
			}
			for i := range 9 {
				p.calls(monday.Add(4*day+time.Duration(i)*time.Minute), []netip.Addr{home, office}[i%2], 1)
			}
		}, ""},
		"IPv4 and IPv6 by turns": {nil, func(p *person) {
			for i := range 30 {
				p.calls(monday.Add(time.Duration(i)*10*time.Second), []netip.Addr{home, home6}[i%2], 1)
			}
		}, ""},
		"two networks of one region": {located, func(p *person) {
			for i := range 9 {
				p.calls(monday.Add(time.Duration(i)*time.Minute), []netip.Addr{home, office}[i%2], 1)
			}
		}, ""},
		"two continents":            {located, func(p *person) { p.calls(monday, home, 1); p.calls(monday.Add(9*time.Minute), abroad, 1) }, "distant_networks"},
		"two continents, with time": {located, func(p *person) { p.calls(monday, home, 1); p.calls(monday.Add(15*time.Hour), abroad, 1) }, ""},
		"a burst": {nil, func(p *person) {
			p.works(monday, 5, 9, 17, 10, home)
			p.calls(monday.Add(4*day+12*time.Hour), home, 290)
		}, "burst"},
		"a busy hour below the floor": {nil, func(p *person) {
			p.works(monday, 5, 9, 17, 4, home)
			p.calls(monday.Add(4*day+12*time.Hour), home, 100)
		}, ""},
		"as much as ever": {func(c *anomaly.Config) { c.Rules.Burst.Floor = 10 }, func(p *person) {
			for i := range 50 {
				p.calls(monday.Add(time.Duration(i)*10*time.Minute), home, 100+10*(i%3))
			}
		}, ""},
		"much more than ever": {func(c *anomaly.Config) { c.Rules.Burst.Floor = 10 }, func(p *person) {
			for i := range 50 {
				p.calls(monday.Add(time.Duration(i)*10*time.Minute), home, 100+10*(i%3))
			}
			p.calls(monday.Add(10*time.Hour), home, 200)
		}, "burst"},
		"in the night":             {nil, func(p *person) { p.works(monday, 12, 9, 17, 8, home); p.calls(monday.Add(13*day+3*time.Hour), home, 3) }, "unusual_hours"},
		"in the night, first week": {nil, func(p *person) { p.works(monday, 5, 9, 17, 8, home); p.calls(monday.Add(5*day+3*time.Hour), home, 3) }, ""},
		"a little later than ever": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.calls(monday.Add(11*day+17*time.Hour+30*time.Minute), home, 3)
		}, ""},
		"first Friday at work": {nil, func(p *person) {
			p.works(monday, 4, 9, 17, 8, home)
			p.works(monday.Add(week), 5, 9, 17, 8, home)
		}, ""},
		"a Sunday after five weeks": {nil, func(p *person) {
			p.works(monday, 33, 9, 17, 8, home)
			p.calls(monday.Add(34*day+11*time.Hour), home, 3)
		}, "unusual_hours"},
		"a visitor now and then": {nil, func(p *person) {
			for i := range 12 {
				p.calls(monday.Add(time.Duration(i*31)*time.Hour), home, 1)
			}
		}, ""},
		"a whole space": {nil, func(p *person) {
			for i := range 200 {
				p.does(anomaly.Observation{Kind: anomaly.Call, Time: monday.Add(time.Duration(i) * 15 * time.Second), Pages: []anomaly.Page{{"ENG", fmt.Sprint(i)}}})
			}
		}, "mass_reading"},
		"one page many times": {nil, func(p *person) {
			for i := range 900 {
				p.does(anomaly.Observation{Kind: anomaly.Call, Time: monday.Add(time.Duration(i) * 4 * time.Second), Pages: []anomaly.Page{{"ENG", "7"}, {"", "x"}}})
			}
		}, ""},
		"a space in a day": {nil, func(p *person) {
			for i := range 900 {
				p.does(anomaly.Observation{Kind: anomaly.Call, Time: monday.Add(time.Duration(i) * 90 * time.Second), Pages: []anomaly.Page{{"ENG", fmt.Sprint(i)}}})
			}
		}, ""},
		"many spaces": {nil, func(p *person) {
			for i := range 600 {
				p.does(anomaly.Observation{Kind: anomaly.Call, Time: monday.Add(time.Duration(i) * 6 * time.Second), Pages: []anomaly.Page{{fmt.Sprint("S", i%10), fmt.Sprint(i)}}})
			}
		}, ""},
		"denied again and again": {nil, func(p *person) {
			for i := range 25 {
				p.does(anomaly.Observation{Kind: anomaly.Denied, Time: monday.Add(time.Duration(i) * 10 * time.Second)})
			}
		}, "denials"},
		"denied now and then": {nil, func(p *person) {
			for i := range 200 {
				p.does(anomaly.Observation{Kind: anomaly.Denied, Time: monday.Add(time.Duration(i) * time.Minute)})
			}
		}, ""},
		"bad proofs": {nil, func(p *person) {
			for i := range 5 {
				p.does(anomaly.Observation{Kind: anomaly.Failure, Time: monday.Add(time.Duration(i) * time.Second), Address: office})
			}
		}, "failures"},
		"a bad proof a day": {nil, func(p *person) {
			for i := range 30 {
				p.does(anomaly.Observation{Kind: anomaly.Failure, Time: monday.Add(time.Duration(i) * day)})
			}
		}, ""},
		"whose proof is bad was not there": {nil, func(p *person) {
			p.works(monday, 12, 9, 17, 8, home)
			p.does(anomaly.Observation{Kind: anomaly.Failure, Time: monday.Add(13*day + 3*time.Hour), Address: office})
		}, ""},
		"a rule that is off": {func(c *anomaly.Config) { c.Rules.Failures.Action = anomaly.Off }, func(p *person) {
			for i := range 50 {
				p.does(anomaly.Observation{Kind: anomaly.Failure, Time: monday.Add(time.Duration(i) * time.Second)})
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(test.change)
			test.live(p)
			if p.rules() != test.want {
				t.Errorf("alarms: %+v\nwant %q", p.alarms, test.want)
			}
			roundTrip(t, &p.history)
		})
	}
}

func roundTrip(t *testing.T, h *anomaly.History) {
	t.Helper()
	blob := h.Append(nil)
	if len(blob) > anomaly.MaxBlob {
		t.Errorf("a history of %d bytes", len(blob))
	}
	again, err := anomaly.Parse(blob)
	if err != nil || !slices.Equal(again.Append(nil), blob) {
		t.Errorf("it came back otherwise: %v", err)
	}
}

// TestTheTextOfAlarms says figure and threshold, and of where somebody is no
// more than the country.
func TestTheTextOfAlarms(t *testing.T) {
	p := newPerson(located)
	p.works(monday, 12, 9, 17, 8, home)
	p.calls(monday.Add(13*day+3*time.Hour), netip.MustParseAddr("192.0.2.1"), 1)
	want := []anomaly.Alarm{
		{anomaly.RuleNewNetwork, anomaly.Log, 1, 0, "a network that was not used in the last 30 days of activity, in BR"},
		{anomaly.RuleNewCountry, anomaly.Log, 1, 0, "a country in which the person was not in the last 90 days of activity: BR"},
		{anomaly.RuleUnusualHours, anomaly.Log, 0, 1, "active on a Sunday at 3:00 UTC, which is 0.0 % of the person's time"},
	}
	if diff := cmp.Diff(want, p.alarms); diff != "" {
		t.Error(diff)
	}
}

// TestQuiet: a rule that goes on finding something says so once an hour.
func TestQuiet(t *testing.T) {
	p := newPerson(nil)
	for i := range 3 * 360 {
		p.does(anomaly.Observation{Kind: anomaly.Denied, Time: monday.Add(time.Duration(i) * 10 * time.Second)})
	}
	if p.rules() != "denials denials denials" {
		t.Errorf("in three hours: %+v", p.alarms)
	}
	at := p.history.Last()
	if !p.history.Quiet(anomaly.RuleDenials, at, time.Hour) || p.history.Quiet(anomaly.RuleBurst, at, time.Hour) || p.history.Quiet("nothing", at, time.Hour) || p.history.Quiet(anomaly.RuleDenials, at.Add(2*time.Hour), time.Hour) {
		t.Error("it does not know when it had its alarm")
	}
}

// TestABurstTeachesLittle: what was unusual stays so for a while.
func TestABurstTeachesLittle(t *testing.T) {
	p := newPerson(nil)
	p.works(monday, 5, 9, 17, 10, home)
	for i := range 6 {
		p.calls(monday.Add(4*day+12*time.Hour+time.Duration(i)*70*time.Minute), home, 290)
	}
	if got := strings.Count(p.rules(), "burst"); got != 6 {
		t.Errorf("%d of 6 bursts: %s", got, p.rules())
	}
}

// TestMerge: two vaults that saw the same person, one of them more.
func TestMerge(t *testing.T) {
	one, two := newPerson(nil), newPerson(nil)
	one.works(monday, 12, 9, 17, 8, home)
	two.works(monday, 12, 9, 17, 3, office)
	for i := range 15 {
		two.does(anomaly.Observation{Kind: anomaly.Denied, Time: monday.Add(11*day + 16*time.Hour + time.Duration(i)*time.Second)})
	}
	merged := newPerson(nil)
	merged.history = one.history
	merged.history.Merge(&two.history)
	roundTrip(t, &merged.history)
	merged.calls(monday.Add(11*day+16*time.Hour+30*time.Minute), office, 1)
	merged.calls(monday.Add(11*day+16*time.Hour+40*time.Minute), home, 1)
	if merged.rules() != "" {
		t.Errorf("a network that the other knew: %+v", merged.alarms)
	}
	again := merged.history
	again.Merge(&two.history)
	if diff := cmp.Diff(merged.history.Append(nil), again.Append(nil)); diff != "" {
		t.Errorf("what is known already changes it:\n%s", diff)
	}
	merged.history.Merge(new(anomaly.History))
	var empty anomaly.History
	empty.Merge(&merged.history)
	if diff := cmp.Diff(merged.history.Append(nil), empty.Append(nil)); diff != "" {
		t.Errorf("nobody has a history that changes another:\n%s", diff)
	}
}

// TestBounds: whatever somebody does, the history stays small, and it comes
// back as it was.
func TestBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 30 {
		p, other := newPerson(located), newPerson(nil)
		at := monday
		for i := range 2000 {
			at = at.Add(time.Duration(random.IntN(int(2*time.Hour))) - 20*time.Minute)
			o := anomaly.Observation{Kind: anomaly.Kind(random.IntN(6)), Time: at, Address: netip.AddrFrom4([4]byte{byte(random.IntN(255)), byte(i), 3, 4})}
			if random.IntN(2) == 0 {
				o.Address = netip.AddrFrom16([16]byte{0x20, byte(i), byte(random.IntN(255))})
			}
			for range random.IntN(20) {
				o.Pages = append(o.Pages, anomaly.Page{Space: fmt.Sprint(random.IntN(9)), ID: fmt.Sprint(random.IntN(5000))})
			}
			[]*person{p, other}[random.IntN(2)].does(o)
		}
		roundTrip(t, &p.history)
		p.history.Merge(&other.history)
		roundTrip(t, &p.history)
	}
	p := newPerson(nil)
	p.does(anomaly.Observation{Kind: anomaly.Call}) // the zero time
	roundTrip(t, &p.history)
}

// TestMarks: under another key all is new, and no address is in a history.
func TestMarks(t *testing.T) {
	p := newPerson(nil)
	p.works(monday, 12, 9, 17, 8, home)
	other := newPerson(func(c *anomaly.Config) { c.Key = []byte("another key of mine") })
	other.history = p.history
	other.calls(monday.Add(11*day+12*time.Hour), home, 1)
	if other.rules() != "new_network" {
		t.Errorf("under another key: %+v", other.alarms)
	}
	if blob := string(p.history.Append(nil)); strings.Contains(blob, string(home.AsSlice()[:3])) || strings.Contains(blob, "ENG") {
		t.Error("it says where somebody is")
	}
}

func TestCheck(t *testing.T) {
	var r anomaly.Rules
	r.Fill()
	if diff := cmp.Diff(anomaly.Defaults(), r); diff != "" || r.Check() != nil || !r.On() || !r.Has(anomaly.Log) || r.Has(anomaly.Suspend) {
		t.Errorf("the defaults: %v\n%s", r.Check(), diff)
	}
	r.Quiet, r.Burst.Action, r.MassReading.Pages, r.Denials.Within = time.Second, "mail", 9999, 48*time.Hour
	want := `burst.action: must be off, log, webhook, step_up or suspend
quiet: must be from 1 min to 30 days
mass_reading.pages: must be from 5 to 2000
denials.within: must be from 1 min to 1 days`
	if err := r.Check(); err == nil || err.Error() != want {
		t.Errorf("Check = %v", err)
	}
	for _, rule := range anomaly.All() {
		if r.Action(rule) == "" {
			t.Errorf("%s has no action", rule)
		}
	}
	if r.Action("nothing") != anomaly.Off {
		t.Error("an unknown rule has an action")
	}
}

// FuzzParse: what is no history is refused, and what is one can be used.
func FuzzParse(f *testing.F) {
	p := newPerson(located)
	p.works(monday, 5, 9, 17, 8, home)
	blob := p.history.Append(nil)
	f.Add(blob)
	unknown := newPerson(nil)
	unknown.works(monday, 5, 9, 17, 8, home)
	f.Add(unknown.history.Append(nil))
	f.Add(new(anomaly.History).Append(nil))
	f.Add(blob[:len(blob)-1])
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := anomaly.Parse(b)
		if err != nil {
			return
		}
		if !slices.Equal(h.Append(nil), b) {
			t.Error("it is written otherwise")
		}
		q := newPerson(located)
		q.history = *h
		q.does(anomaly.Observation{Kind: anomaly.Denied, Time: monday, Address: home, Pages: []anomaly.Page{{"ENG", "1"}}})
		q.does(anomaly.Observation{Kind: anomaly.Failure, Time: monday.Add(time.Hour), Address: office})
		q.history.Merge(&p.history)
		p2 := p.history
		p2.Merge(&q.history)
		roundTrip(t, &q.history)
		roundTrip(t, &p2)
	})
}
