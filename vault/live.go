package vault

import (
	"context"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/settings/live"
)

// rules are the policy that is in force now.
func (v *assembly) rules() *policy.Policy { return v.policy.Load() }

// watchSettings is a part of serve; nil where settings do not change.
func (v *assembly) watchSettings() func(context.Context) error {
	if v.cfg.Reload == nil {
		return nil
	}
	return live.New(live.Config{
		InForce: v.cfg.Settings, Stamp: v.cfg.Stamp, Load: v.cfg.Reload, May: v.mayChange, Apply: v.change, Again: v.cfg.Again, Log: v.log,
	}).Run
}

// mayChange reports whether a setting can change while the vault runs. Rules
// about people need what was made for them at the start.
func (v *assembly) mayChange(next *settings.Settings, key string) bool {
	if !settings.Live(key) || !strings.HasPrefix(key, "anomalies.") {
		return settings.Live(key)
	}
	was := v.cfg.Settings.Anomalies
	return v.anomalies.watch != nil && (was.MayStepUp() || !next.Anomalies.MayStepUp()) && (v.anomalies.hook != nil || !next.Anomalies.MayTell())
}

// change is on record before it counts.
func (v *assembly) change(ctx context.Context, next *settings.Settings, changes []live.Change) error {
	of := next.Rules()
	of.StepUp = v.cfg.Settings.Identity.StepUp // it needs a restart
	rules, err := policy.New(of)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	e := audit.Entry{Time: time.Now(), Event: "settings.changed", Outcome: "ok"}
	anomalies := false
	for _, c := range changes {
		e.Objects = append(e.Objects, c.Key+" is "+c.Is+", was "+c.Was)
		anomalies = anomalies || strings.HasPrefix(c.Key, "anomalies.")
	}
	if err := v.audit.Record(ctx, e); err != nil {
		return err
	}
	v.policy.Store(rules)
	if v.cfg.Level != nil {
		v.cfg.Level.Set(next.Observability.Level())
	}
	if anomalies {
		v.anomalies.watch.Judge(next.Anomalies.Rules())
	}
	return nil
}
