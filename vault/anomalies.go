package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/places"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/watch"
	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/webhook"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
)

// anomalies is what looks for what is unusual. The zero value looks at nothing.
type anomalies struct {
	watch  *watch.Watch   // nil where all rules are off
	hook   *webhook.Hook  // nil without a webhook
	places *places.Places // nil where nothing is known of them
}

// watchPeople makes the watch, whose keys are made with the first rule that is
// on.
func (v *assembly) watchPeople(ctx context.Context, kek seal.KEK, client *http.Client) error {
	set := v.cfg.Settings.Anomalies
	rules := set.Rules()
	if !rules.On() {
		return nil
	}
	box, err := seal.Vault(ctx, kek, v.db, "history")
	if err != nil {
		return keyError("history", v.cfg.Settings.Keys.KEK, err)
	}
	marks, err := seal.VaultSecret(ctx, kek, v.db, "history marks")
	if err != nil {
		return keyError("history marks", v.cfg.Settings.Keys.KEK, err)
	}
	acts := map[anomaly.Action]watch.Act{anomaly.StepUp: v.demand, anomaly.Suspend: v.suspend}
	if set.Webhook.URL != "" {
		v.anomalies.hook = webhook.New(webhook.Config{URL: set.Webhook.URL, Secret: set.Webhook.Key, HTTP: client, Log: v.log})
		acts[anomaly.Webhook] = v.tell
	}
	locate, err := v.locator()
	if err != nil {
		return err
	}
	v.anomalies.watch = watch.New(watch.Config{
		Rules: rules, Key: marks, Locate: locate, Store: v.db, Box: box, Audit: v.audit, Current: v.sessions.Current, Acts: acts, Log: v.log,
	})
	return nil
}

// locator is nil, and not nil places, without a file that tells where addresses
// are.
func (v *assembly) locator() (anomaly.Locator, error) {
	name := v.cfg.Settings.Anomalies.CountryFile
	if name == "" {
		return nil, nil
	}
	found, err := places.Open(places.Config{Path: v.cfg.Settings.Path(name), Log: v.log})
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "anomalies.country_file does not name a file with the countries of addresses: "+err.Error(),
			"It must be a database such as GeoLite2-Country.mmdb: "+v.cfg.Settings.Path(name))
	}
	v.anomalies.places = found
	return found, nil
}

// recorder records what is observed as well.
func (v *assembly) recorder() watch.Auditor {
	if v.anomalies.watch == nil {
		return v.audit
	}
	return v.anomalies.watch.Beside(v.audit)
}

// refused hears of proofs and tickets that are no good; nil where nobody looks.
func (v *assembly) refused() func(identity.DeviceID, string) {
	if v.anomalies.watch == nil {
		return nil
	}
	return v.anomalies.watch.Refused
}

// run is for serve: it looks, and tells.
func (a anomalies) run(run func(name string, part func(context.Context) error)) {
	if a.watch != nil {
		run("anomalies", a.watch.Run)
	}
	if a.places != nil {
		run("places", a.places.Run)
	}
	if a.hook != nil {
		run("webhook", a.hook.Run)
	}
}

// demand makes a session need a fresh sign-in. Without a company's sign-in
// behind it the session ends, so that the person signs in anew.
func (v *assembly) demand(ctx context.Context, e audit.Entry, _ anomaly.Alarm) (string, error) {
	if e.Session == "" {
		return "there is no session that could need a sign-in", nil
	}
	err := company.ErrNone
	if v.company != nil {
		err = v.company.Demand(ctx, identity.Caller{Person: e.Person, Tenant: e.Tenant, Device: e.Device, Session: e.Session})
	}
	if !errors.Is(err, company.ErrNone) {
		return "the session needs a fresh sign-in", err
	}
	if err := v.end(ctx, e, "something unusual was done on it"); err != nil {
		return "", err
	}
	return "the session has ended, since there is no company sign-in that could be asked for", nil
}

// end ends one session, on record first.
func (v *assembly) end(ctx context.Context, e audit.Entry, why string) error {
	err := v.audit.Record(ctx, audit.Entry{
		Time: time.Now(), Event: "session.revoked", Outcome: "ok", Tenant: e.Tenant, Person: e.Person, Device: e.Device, Session: e.Session, Detail: why,
	})
	if ending := v.sessions.Revoke(ctx, e.Session); !errors.Is(ending, session.ErrNone) {
		err = errors.Join(err, ending)
	}
	return err
}

// suspend ends all sessions of a person and lets none begin for a while.
func (v *assembly) suspend(ctx context.Context, e audit.Entry, a anomaly.Alarm) (string, error) {
	now := time.Now()
	until := now.Add(v.cfg.Settings.Anomalies.Suspension)
	ended, err := v.db.PersonSuspend(ctx, e.Person, now, until)
	if err != nil {
		return "", fmt.Errorf("suspending a person: %w", err)
	}
	why := "the person is suspended until " + until.UTC().Format(time.RFC3339) + ", by the rule " + string(a.Rule)
	err = v.audit.Record(ctx, audit.Entry{Time: now, Event: "person.suspended", Outcome: "ok", Tenant: e.Tenant, Person: e.Person, Detail: why})
	for _, s := range ended {
		err = errors.Join(err, v.audit.Record(ctx, audit.Entry{
			Time: now, Event: "session.revoked", Outcome: "ok", Tenant: s.Tenant, Person: s.Person, Device: s.Device, Session: s.ID, Detail: why,
		}))
	}
	return fmt.Sprintf("%d sessions have ended", len(ended)), err
}

// tell sends a notice, as soon as there is time.
func (v *assembly) tell(_ context.Context, e audit.Entry, a anomaly.Alarm) (string, error) {
	ok := v.anomalies.hook.Tell(webhook.Notice{
		ID: identity.NewID("n_"), Event: watch.Event, Time: e.Time.UTC(), Rule: string(a.Rule), Action: string(a.Action), Value: a.Value, Threshold: a.Threshold,
		Text: a.Text, Tenant: e.Tenant, Person: e.Person, Device: e.Device, Session: e.Session, Address: e.Address,
	})
	if !ok {
		return "", errors.New("too many notices wait for the webhook")
	}
	return "", nil
}

// Restore lifts the suspension of a person, who can then sign in again.
func (a *Admin) Restore(ctx context.Context, person identity.PersonID) error {
	now := time.Now()
	until, err := a.db.PersonSuspended(ctx, person)
	if err != nil {
		return err
	}
	if !until.After(now) {
		missing := usererr.New(usererr.NotFound, "The person "+string(person)+" is not suspended", "See who was with: coatcheck-vault audit list --event person.suspended")
		e := audit.Entry{Event: "person.restored", Outcome: "error", Code: string(usererr.NotFound), Person: person}
		return errors.Join(missing, a.record(ctx, e))
	}
	if err := a.record(ctx, audit.Entry{Event: "person.restored", Person: person}); err != nil {
		return err
	}
	_, err = a.db.PersonSuspend(ctx, person, now, time.Time{})
	return err
}
