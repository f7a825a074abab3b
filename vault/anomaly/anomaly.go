// Package anomaly tells what is unusual in what a person does, by rules over
// that person's own history. The history is a summary of a fixed size: counts,
// hours, and keyed marks of networks and pages, from which nobody learns what
// was read and, unless there is a [Locator], where somebody was: then it has
// countries, too.
//
// It is pure: what happened, and when, is passed in. A [Judge] may be used from
// many goroutines, a [History] from one at a time.
package anomaly

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// Kind says what happened.
type Kind uint8

// What may happen.
const (
	Call    Kind = iota + 1 // a call that was answered or failed
	Denied                  // a call that policy denied
	SignIn                  // somebody signed in
	Failure                 // a proof or ticket that was no good
)

// Observation is one thing that a person did.
type Observation struct {
	Kind    Kind
	Time    time.Time
	Address netip.Addr // of the device; not valid where it is not known
	Pages   []Page     // that were read as a whole
}

// Page is a page of a space.
type Page struct{ Space, ID string }

// Alarm is a rule that found something.
type Alarm struct {
	Rule             Rule
	Action           Action
	Value, Threshold float64 // the rule's figure, and above what it is unusual
	Text             string  // both in words
}

// Place is where an address is.
type Place struct {
	Country  string  // two letters of ISO 3166-1
	Point    bool    // whether Lat and Lon are known
	Lat, Lon float64 // in degrees
}

// Locator tells where an address is, and false where nobody knows. It must be
// fast and may be used from many goroutines.
type Locator interface {
	Locate(addr netip.Addr) (place Place, known bool)
}

// Config is what a judge needs.
type Config struct {
	Rules Rules
	// Key is a secret of at least 16 bytes that marks are made with. Under
	// another key all networks and pages are new ones.
	Key []byte
	// Locate may be nil: then nothing is known of where addresses are.
	Locate Locator
}

// Judge applies rules.
type Judge struct{ cfg Config }

// New returns a judge. Its rules must be good: see [Rules.Check].
func New(cfg Config) *Judge { return &Judge{cfg} }

// Observe adds o to the history of a person and returns the rules that find it
// unusual, none more often than once in a quiet period.
func (j *Judge) Observe(h *History, o Observation) []Alarm {
	t := h.begin(o.Time)
	c := &check{judge: j, history: h, now: t}
	if o.Kind != Failure { // which may be anybody's
		j.networks(c, o)
		j.hours(c)
	}
	switch o.Kind {
	case Denied:
		n := h.denials.add(t, j.cfg.Rules.Denials.Within)
		c.count(RuleDenials, n, j.cfg.Rules.Denials.Count, "calls were denied within "+short(j.cfg.Rules.Denials.Within))
		j.burst(c)
	case Call:
		j.burst(c)
	case Failure:
		n := h.failures.add(t, j.cfg.Rules.Failures.Within)
		c.count(RuleFailures, n, j.cfg.Rules.Failures.Count, "proofs or tickets were refused within "+short(j.cfg.Rules.Failures.Within))
	case SignIn:
	}
	j.pages(c, o.Pages)
	h.last = t
	return c.alarms
}

// mark is what is kept instead of a text.
func (j *Judge) mark(kind, text string) uint64 {
	mac := hmac.New(sha256.New, j.cfg.Key)
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(text))
	return binary.BigEndian.Uint64(mac.Sum(nil))
}

// check is one observation as it is judged.
type check struct {
	judge   *Judge
	history *History
	now     int64
	alarms  []Alarm
}

// alarm notes that a rule found something, unless it is off or quiet.
func (c *check) alarm(rule Rule, value, threshold float64, text string) {
	rules := &c.judge.cfg.Rules
	action := rules.Action(rule)
	if action == Off || c.history.quiet(rule, c.now, rules.Quiet) {
		return
	}
	c.history.alarmed[rule.index()] = c.now
	c.alarms = append(c.alarms, Alarm{rule, action, value, threshold, text})
}

func (c *check) count(rule Rule, n, limit int, what string) {
	if n >= limit {
		c.alarm(rule, float64(n), float64(limit), fmt.Sprintf("%d %s", n, what))
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// short is d without zeros at its end.
func short(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}

// Quiet reports whether a rule had an alarm by another hand, so that at a time
// there is none.
func (h *History) Quiet(rule Rule, at time.Time, quiet time.Duration) bool {
	return rule.index() >= 0 && h.quiet(rule, at.Unix(), quiet)
}

func (h *History) quiet(rule Rule, now int64, quiet time.Duration) bool {
	last := h.alarmed[rule.index()]
	return last != 0 && now-last < seconds(quiet) && now-last > -clockBack
}
