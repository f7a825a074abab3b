package settings_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

func TestAnomalies(t *testing.T) {
	s, err := load(t, sample)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(anomaly.Defaults(), s.Anomalies.Rules()); diff != "" || s.Anomalies.MayStepUp() {
		t.Errorf("the defaults (-want +got):\n%s", diff)
	}
	s, err = load(t, sample+`anomalies:
  quiet: 2h
  suspension: 3d
  webhook: {url: "https://hook.example/x?y=z", secret: "env:ACME_HOOK"}
  burst: {action: webhook, floor: 500}
  denials: {action: step_up, count: 7, within: 5m}
  unusual_hours: {action: off}
  country_file: country.mmdb
  new_country: {action: suspend, memory: 30d}
`, "ACME_HOOK=CANARY-0123456789", "COATCHECK_ANOMALIES_BURST_DEVIATIONS=9")
	if err != nil {
		t.Fatal(err)
	}
	want := anomaly.Defaults()
	want.Quiet, want.Burst, want.UnusualHours.Action = 2*time.Hour, anomaly.Burst{Action: anomaly.Webhook, Floor: 500, Deviations: 9}, anomaly.Off
	want.NewCountry = anomaly.Novelty{Action: anomaly.Suspend, Memory: 30 * 24 * time.Hour, Learn: 7 * 24 * time.Hour}
	want.Denials = anomaly.Repeated{Action: anomaly.StepUp, Count: 7, Within: 5 * time.Minute}
	if diff := cmp.Diff(want, s.Anomalies.Rules()); diff != "" || !s.Anomalies.MayStepUp() {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Anomalies.CountryFile != "country.mmdb" || s.Anomalies.Suspension != 72*time.Hour || s.Anomalies.Webhook.Key.Reveal() != "CANARY-0123456789" {
		t.Errorf("%+v", s.Anomalies)
	}
	if settings.Live("anomalies.country_file") || !settings.Live("anomalies.new_country.action") {
		t.Error("another file needs a restart, and another action does not")
	}
	for _, line := range s.Lines() {
		if strings.Contains(line.Value, "CANARY") || line.Key == "anomalies.burst.floor" && line.Value != "500" {
			t.Errorf("%s is shown as %s", line.Key, line.Value)
		}
	}
}

func TestWrongAnomalies(t *testing.T) {
	for text, want := range map[string]string{
		"{burst: {action: mail}}":                                               "anomalies.burst.action: must be off, log, webhook, step_up or suspend",
		"{burst: {floor: many}}":                                                "anomalies.burst.floor: must be a whole number",
		"{burst: {flor: 5}}":                                                    "did you mean floor?",
		"{failures: {count: 1}}":                                                "anomalies.failures.count: must be from 2 to 10000",
		"{new_country: {learn: 1y}}":                                            "anomalies.new_country.learn: must be a time",
		"{new_country: {learn: 91d}}":                                           "anomalies.new_country.learn: must be from 1s to 90 days",
		"{suspension: 1s}":                                                      "anomalies.suspension: must be from a minute to 90 days",
		"{denials: {action: webhook}}":                                          "anomalies.webhook.url: is needed",
		"{webhook: {secret: \"env:ACME_HOOK\"}}":                                "anomalies.webhook.url: is needed",
		"{webhook: {url: \"http://hook.example\"}}":                             "anomalies.webhook.url: must be an https address",
		"{webhook: {url: \"https://a:b@hook.example\"}}":                        "anomalies.webhook.url: must be an https address",
		"{webhook: {url: \"https://hook.example\"}}":                            "anomalies.webhook.secret: is needed",
		"{webhook: {url: \"https://hook.example\", secret: \"env:ACME_HOOK\"}}": "anomalies.webhook.secret: what it refers to is too short",
	} {
		_, err := load(t, sample+"anomalies: "+text+"\n", "ACME_HOOK=short")
		if said := usererr.Text(err, ""); !strings.Contains(said, want) {
			t.Errorf("%s: %s", text, said)
		}
	}
}
