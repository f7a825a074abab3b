package settings

import (
	"net/url"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
)

// Anomalies say what is unusual in what a person does and what it leads to.
type Anomalies struct {
	// Quiet is how long a rule has no second alarm about a person.
	Quiet time.Duration `yaml:"quiet"`
	// Suspension is how long the action suspend lasts.
	Suspension time.Duration `yaml:"suspension"`
	Webhook    Webhook       `yaml:"webhook"`
	// CountryFile is a database in MaxMind's format that says where addresses
	// are; without one, nothing is known of that.
	CountryFile     string                  `yaml:"country_file"`
	NewNetwork      anomaly.Novelty         `yaml:"new_network"`
	NewCountry      anomaly.Novelty         `yaml:"new_country"`
	DistantNetworks anomaly.DistantNetworks `yaml:"distant_networks"`
	Burst           anomaly.Burst           `yaml:"burst"`
	UnusualHours    anomaly.UnusualHours    `yaml:"unusual_hours"`
	MassReading     anomaly.MassReading     `yaml:"mass_reading"`
	Denials         anomaly.Repeated        `yaml:"denials"`
	Failures        anomaly.Repeated        `yaml:"failures"`
}

// Webhook is whom the action webhook tells.
type Webhook struct {
	URL    string `yaml:"url"`    // https
	Secret Ref    `yaml:"secret"` // a reference to what notices are signed with

	// Key is what Secret refers to.
	Key secret.String `yaml:"-"`
}

const (
	defaultSuspension = day
	leastWebhookKey   = 16
)

// Rules are what histories are judged by.
func (a Anomalies) Rules() anomaly.Rules {
	return anomaly.Rules{
		Quiet: a.Quiet, NewNetwork: a.NewNetwork, NewCountry: a.NewCountry, DistantNetworks: a.DistantNetworks, Burst: a.Burst, UnusualHours: a.UnusualHours,
		MassReading: a.MassReading, Denials: a.Denials, Failures: a.Failures,
	}
}

func (a *Anomalies) fill() {
	rules := a.Rules()
	rules.Fill()
	a.Quiet, a.NewNetwork, a.DistantNetworks, a.Burst = rules.Quiet, rules.NewNetwork, rules.DistantNetworks, rules.Burst
	a.NewCountry, a.UnusualHours, a.MassReading, a.Denials, a.Failures = rules.NewCountry, rules.UnusualHours, rules.MassReading, rules.Denials, rules.Failures
	if a.Suspension == 0 {
		a.Suspension = defaultSuspension
	}
}

func (a *Anomalies) check(r *reader) {
	rules := a.Rules()
	if err := rules.Check(); err != nil {
		r.all("anomalies.", err)
	}
	if a.Suspension < time.Minute || a.Suspension > 90*day {
		r.at("anomalies.suspension", "must be from a minute to 90 days")
	}
	hook := a.Webhook
	switch u, err := url.Parse(hook.URL); {
	case hook.URL == "" && rules.Has(anomaly.Webhook):
		r.at("anomalies.webhook.url", "is needed: the https address that is told")
	case hook.URL == "" && hook.Secret != "":
		r.at("anomalies.webhook.url", "is needed where there is a secret")
	case hook.URL == "":
	case err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
		r.at("anomalies.webhook.url", "must be an https address without user and fragment")
	case hook.Secret == "":
		r.at("anomalies.webhook.secret", "is needed, as a reference such as file:/run/secrets/webhook; make one with: openssl rand -base64 32")
	}
}

func (a *Anomalies) resolve(r *reader, dir string, env map[string]string) {
	if a.Webhook.Secret == "" {
		return
	}
	value, err := a.Webhook.Secret.fetch(dir, env)
	switch {
	case err != nil:
		r.at("anomalies.webhook.secret", "%s", err)
	case len(value.Reveal()) < leastWebhookKey:
		r.at("anomalies.webhook.secret", "what it refers to is too short; make one with: openssl rand -base64 32")
	}
	a.Webhook.Key = value
}

// MayTell reports whether a rule leads to a notice.
func (a Anomalies) MayTell() bool {
	rules := a.Rules()
	return rules.Has(anomaly.Webhook)
}

// MayStepUp reports whether a session may come to need a fresh sign-in.
func (a Anomalies) MayStepUp() bool {
	rules := a.Rules()
	return rules.Has(anomaly.StepUp)
}
