package anomaly

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Rule is the name of a rule, as in settings and records.
type Rule string

// The rules.
const (
	RuleNewNetwork      Rule = "new_network"
	RuleDistantNetworks Rule = "distant_networks"
	RuleBurst           Rule = "burst"
	RuleUnusualHours    Rule = "unusual_hours"
	RuleMassReading     Rule = "mass_reading"
	RuleDenials         Rule = "denials"
	RuleFailures        Rule = "failures"
	RuleNewCountry      Rule = "new_country"
)

const ruleCount = 8

// All are the rules, in the order in which histories have them: it never
// changes.
func All() []Rule {
	return []Rule{RuleNewNetwork, RuleDistantNetworks, RuleBurst, RuleUnusualHours, RuleMassReading, RuleDenials, RuleFailures, RuleNewCountry}
}

func (r Rule) index() int { return slices.Index(All(), r) }

// Action is what an alarm leads to. Each has an audit record, too.
type Action string

// The actions.
const (
	Off     Action = "off"     // the rule is not applied; its history is kept
	Log     Action = "log"     // nothing more
	Webhook Action = "webhook" // somebody is told
	StepUp  Action = "step_up" // the session needs a fresh sign-in
	Suspend Action = "suspend" // the person's sessions end
)

// Rules say what is unusual. The yaml tags are the keys of the settings.
type Rules struct {
	// Quiet is how long a rule has no second alarm about a person.
	Quiet           time.Duration
	NewNetwork      Novelty
	NewCountry      Novelty
	DistantNetworks DistantNetworks
	Burst           Burst
	UnusualHours    UnusualHours
	MassReading     MassReading
	Denials         Repeated
	Failures        Repeated
}

// Novelty finds networks (/24 of IPv4, /48 of IPv6) or countries that a person
// did not use, or was not in, for as long as Memory, not counting time away.
// There is no alarm in the time to Learn after the first one.
type Novelty struct {
	Action Action        `yaml:"action"`
	Memory time.Duration `yaml:"memory"`
	Learn  time.Duration `yaml:"learn"`
}

// DistantNetworks finds two networks that are used at the same time: the person
// changes between them, of which one is new since a day, as often as Changes
// Within that time; or they are 500 km apart; or, where only countries are
// known, in two countries, of which one is new since a day.
type DistantNetworks struct {
	Action  Action        `yaml:"action"`
	Within  time.Duration `yaml:"within"`
	Changes int           `yaml:"changes"`
}

// Burst finds more calls in 5 minutes than Floor, and than the person's own
// mean by so many mean Deviations.
type Burst struct {
	Action     Action `yaml:"action"`
	Floor      int    `yaml:"floor"`
	Deviations int    `yaml:"deviations"`
}

// UnusualHours finds an hour in which, with the ones before and after it, the
// person was active less than Percent of the time.
type UnusualHours struct {
	Action  Action `yaml:"action"`
	Percent int    `yaml:"percent"`
}

// MassReading finds as many different Pages of one space within an hour.
type MassReading struct {
	Action Action `yaml:"action"`
	Pages  int    `yaml:"pages"`
}

// Repeated finds that something happened Count times Within a time.
type Repeated struct {
	Action Action        `yaml:"action"`
	Count  int           `yaml:"count"`
	Within time.Duration `yaml:"within"`
}

const day = 24 * time.Hour

// Defaults are the rules that are in force unless settings say otherwise.
func Defaults() Rules {
	return Rules{
		Quiet:           time.Hour,
		NewNetwork:      Novelty{Log, 30 * day, 7 * day},
		NewCountry:      Novelty{Log, 90 * day, 7 * day},
		DistantNetworks: DistantNetworks{Log, 10 * time.Minute, 4},
		Burst:           Burst{Log, 120, 6},
		UnusualHours:    UnusualHours{Log, 1},
		MassReading:     MassReading{Log, 150},
		Denials:         Repeated{Log, 20, 10 * time.Minute},
		Failures:        Repeated{Log, 5, 10 * time.Minute},
	}
}

// Fill sets what was left out.
func (r *Rules) Fill() {
	d := Defaults()
	for at, value := range map[*Action]Action{
		&r.NewNetwork.Action: d.NewNetwork.Action, &r.DistantNetworks.Action: d.DistantNetworks.Action, &r.Burst.Action: d.Burst.Action,
		&r.NewCountry.Action: d.NewCountry.Action, &r.UnusualHours.Action: d.UnusualHours.Action, &r.MassReading.Action: d.MassReading.Action, &r.Denials.Action: d.Denials.Action, &r.Failures.Action: d.Failures.Action,
	} {
		if *at == "" {
			*at = value
		}
	}
	for at, value := range map[*time.Duration]time.Duration{
		&r.Quiet: d.Quiet, &r.NewNetwork.Memory: d.NewNetwork.Memory, &r.NewNetwork.Learn: d.NewNetwork.Learn,
		&r.NewCountry.Memory: d.NewCountry.Memory, &r.NewCountry.Learn: d.NewCountry.Learn,
		&r.DistantNetworks.Within: d.DistantNetworks.Within, &r.Denials.Within: d.Denials.Within, &r.Failures.Within: d.Failures.Within,
	} {
		if *at == 0 {
			*at = value
		}
	}
	for at, value := range map[*int]int{
		&r.DistantNetworks.Changes: d.DistantNetworks.Changes, &r.Burst.Floor: d.Burst.Floor, &r.Burst.Deviations: d.Burst.Deviations,
		&r.UnusualHours.Percent: d.UnusualHours.Percent, &r.MassReading.Pages: d.MassReading.Pages, &r.Denials.Count: d.Denials.Count, &r.Failures.Count: d.Failures.Count,
	} {
		if *at == 0 {
			*at = value
		}
	}
}

// Action is the action of a rule.
func (r *Rules) Action(rule Rule) Action {
	switch rule {
	case RuleNewNetwork:
		return r.NewNetwork.Action
	case RuleDistantNetworks:
		return r.DistantNetworks.Action
	case RuleBurst:
		return r.Burst.Action
	case RuleUnusualHours:
		return r.UnusualHours.Action
	case RuleMassReading:
		return r.MassReading.Action
	case RuleDenials:
		return r.Denials.Action
	case RuleFailures:
		return r.Failures.Action
	case RuleNewCountry:
		return r.NewCountry.Action
	}
	return Off
}

// Has reports whether a rule leads to an action.
func (r *Rules) Has(action Action) bool {
	return slices.ContainsFunc(All(), func(rule Rule) bool { return r.Action(rule) == action })
}

// On reports whether any rule is applied.
func (r *Rules) On() bool {
	return slices.ContainsFunc(All(), func(rule Rule) bool { return r.Action(rule) != Off })
}

// Check reports all that is wrong, one a line, each with the name of the
// setting in front: "burst.floor: must be …".
func (r *Rules) Check() error {
	var problems []error
	for _, rule := range All() {
		if !slices.Contains([]Action{Off, Log, Webhook, StepUp, Suspend}, r.Action(rule)) {
			problems = append(problems, fmt.Errorf("%s.action: must be off, log, webhook, step_up or suspend", rule))
		}
	}
	times := func(key string, value, least, most time.Duration) {
		if value < least || value > most {
			problems = append(problems, fmt.Errorf("%s: must be from %s to %s", key, short(least), short(most)))
		}
	}
	numbers := func(key string, value, least, most int) {
		if value < least || value > most {
			problems = append(problems, fmt.Errorf("%s: must be from %d to %d", key, least, most))
		}
	}
	times("quiet", r.Quiet, time.Minute, 30*day)
	times("new_network.memory", r.NewNetwork.Memory, day, 365*day)
	times("new_network.learn", r.NewNetwork.Learn, time.Second, 90*day)
	times("new_country.memory", r.NewCountry.Memory, day, 365*day)
	times("new_country.learn", r.NewCountry.Learn, time.Second, 90*day)
	times("distant_networks.within", r.DistantNetworks.Within, time.Minute, time.Hour)
	numbers("distant_networks.changes", r.DistantNetworks.Changes, 2, 100)
	numbers("burst.floor", r.Burst.Floor, 10, 100_000)
	numbers("burst.deviations", r.Burst.Deviations, 1, 100)
	numbers("unusual_hours.percent", r.UnusualHours.Percent, 1, 20)
	numbers("mass_reading.pages", r.MassReading.Pages, 5, 2000)
	numbers("denials.count", r.Denials.Count, 2, 10_000)
	times("denials.within", r.Denials.Within, time.Minute, day)
	numbers("failures.count", r.Failures.Count, 2, 10_000)
	times("failures.within", r.Failures.Within, time.Minute, day)
	return errors.Join(problems...)
}
