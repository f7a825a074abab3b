// Package watch looks at what people do, as it is recorded, and acts where
// their own history says that it is unusual. It stands beside the calls: they
// never wait for it and do not fail with it. What it has no time for it drops,
// and counts that.
//
// A history is in memory while its person is active and in the store, sealed,
// at most a minute later. Vaults that see the same person at the same time
// merge what they know; an alarm is of the one that stores it first.
package watch

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Errors of stores.
var (
	// ErrNone says that nothing is known of a person.
	ErrNone = errors.New("no history")
	// ErrMoved says that another vault stored one meanwhile.
	ErrMoved = errors.New("the history was changed elsewhere")
)

// Event is what an alarm is called in the audit records, and Refused what a
// proof or ticket is that was no good, which is observed and not on record.
const (
	Event   = "anomaly"
	Refused = "proof.refused"
)

const (
	maxQueue  = 4096
	maxPeople = 10_000
	saveEvery = time.Minute // each person's at most
	lookEvery = time.Second
	tidyEvery = time.Hour
	keptFor   = 180 * 24 * time.Hour
	storeTime = 2 * time.Second // one question to the store
	actTime   = 10 * time.Second
	endTime   = 4 * time.Second // storing what is left at the end
	tries     = 3
)

// Row is a history as it is stored. Version 0 is one that is not stored yet.
type Row struct {
	Person  identity.PersonID
	Sealed  []byte // empty for somebody of whom nothing is known
	Version int64  // grows with each change
}

// Store keeps histories. Its methods are atomic and durable when they return.
type Store interface {
	// HistoryGet returns what is known of a person, or [ErrNone].
	HistoryGet(ctx context.Context, person identity.PersonID) (Row, error)
	// HistorySave stores r as version r.Version+1, or returns [ErrMoved].
	HistorySave(ctx context.Context, r Row, at time.Time) error
	// HistoryTidy forgets people who were not seen since before.
	HistoryTidy(ctx context.Context, before time.Time) error
}

// Sealer encrypts what is stored. A *seal.Box is one.
type Sealer interface {
	Seal(plain []byte, aad seal.AAD) ([]byte, error)
	Open(sealed []byte, aad seal.AAD) ([]byte, error)
}

// Auditor stores audit records.
type Auditor interface {
	Record(ctx context.Context, entry audit.Entry) error
}

// Act does what an alarm about e leads to, and may say in words what it did.
type Act func(ctx context.Context, e audit.Entry, a anomaly.Alarm) (done string, err error)

// Config is what a watch needs. Everything is required unless stated.
type Config struct {
	Rules anomaly.Rules
	Key   []byte // of marks: see [anomaly.Config]
	// Locate may be nil.
	Locate anomaly.Locator
	Store  Store
	Box    Sealer
	Audit  Auditor
	// Current finds who is signed in on a device whose proof was refused.
	Current func(ctx context.Context, device identity.DeviceID) (session.Session, error)
	// Acts are for the actions besides off and log.
	Acts map[anomaly.Action]Act
	Log  *slog.Logger
}

// Watch observes. [Watch.Observe] may be called from many goroutines.
type Watch struct {
	cfg     Config
	judge   atomic.Pointer[anomaly.Judge]
	queue   chan audit.Entry
	dropped atomic.Int64

	// What follows is Run's alone.
	people map[identity.PersonID]*list.Element
	recent *list.List // of *someone, the latest in front
	dirty  []*someone // to be stored, the longest due first
	told   int64      // of dropped
	tidied time.Time
}

// someone is a person who was active lately.
type someone struct {
	id      identity.PersonID
	history *anomaly.History
	version int64
	due     time.Time // when it is stored; zero while there is nothing new
}

// New returns a watch. What it observes is looked at by [Watch.Run].
func New(cfg Config) *Watch {
	w := &Watch{cfg: cfg, queue: make(chan audit.Entry, maxQueue), people: map[identity.PersonID]*list.Element{}, recent: list.New()}
	w.Judge(cfg.Rules)
	return w
}

// Judge makes rules those that count from now on. They must be good.
func (w *Watch) Judge(rules anomaly.Rules) {
	w.judge.Store(anomaly.New(anomaly.Config{Rules: rules, Key: w.cfg.Key, Locate: w.cfg.Locate}))
}

// Observe takes note of something that was recorded. It never waits.
func (w *Watch) Observe(e audit.Entry) {
	if kindOf(e) == 0 {
		return
	}
	// Only what is needed waits.
	kept := audit.Entry{
		Time: e.Time, Event: e.Event, Outcome: e.Outcome, Tenant: e.Tenant, Person: e.Person, Device: e.Device, Session: e.Session,
		Stream: e.Stream, Call: e.Call, Tool: e.Tool, Site: e.Site, Objects: e.Objects, Address: e.Address,
	}
	select {
	case w.queue <- kept:
	default:
		w.dropped.Add(1)
	}
}

// Beside returns an auditor that records with a and has w observe what was
// recorded.
func (w *Watch) Beside(a Auditor) Auditor { return tap{a, w} }

type tap struct {
	Auditor
	watch *Watch
}

// Record implements [Auditor].
func (t tap) Record(ctx context.Context, e audit.Entry) error {
	err := t.Auditor.Record(ctx, e)
	if err == nil {
		t.watch.Observe(e)
	}
	return err
}

// Refused observes that a proof or ticket of a device was no good. It never
// waits.
func (w *Watch) Refused(device identity.DeviceID, address string) {
	w.Observe(audit.Entry{Time: time.Now(), Event: Refused, Outcome: "denied", Device: device, Address: address})
}

// Dropped counts what there was no time for.
func (w *Watch) Dropped() int64 { return w.dropped.Load() }

// kindOf is 0 for what says nothing of what a person does.
func kindOf(e audit.Entry) anomaly.Kind {
	if e.Person == "" && e.Event != Refused {
		return 0
	}
	switch e.Event {
	case "call", "call.step_up":
		return anomaly.Call
	case "call.denied":
		return anomaly.Denied
	case "login.done", "session.stepped_up":
		return anomaly.SignIn
	case Refused:
		return anomaly.Failure
	}
	return 0
}

// observation is e without what rules do not need.
func observation(e audit.Entry) anomaly.Observation {
	o := anomaly.Observation{Kind: kindOf(e), Time: e.Time}
	o.Address, _ = netip.ParseAddr(e.Address)
	if e.Event != "call" || e.Outcome != "ok" || strings.Contains(e.Tool, "search") || strings.Contains(e.Tool, "list") {
		return o // lists name much that nobody has read
	}
	for _, object := range e.Objects {
		_, name, _ := strings.Cut(object, ":")
		if at := strings.LastIndexByte(name, '@'); at > 0 {
			o.Pages = append(o.Pages, anomaly.Page{Space: e.Site + "/" + name[at+1:], ID: name[:at]})
		}
	}
	return o
}

// Run looks at what was observed until ctx ends, and then stores what is new.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	w.tidied = time.Now()
	for {
		select {
		case e := <-w.queue:
			w.look(ctx, e)
		case <-tick.C:
			w.save(ctx, time.Now())
			w.tidy(ctx)
		case <-ctx.Done():
			w.end(ctx)
			return nil
		}
	}
}

// end looks at what is left, in bounded time.
func (w *Watch) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	for ctx.Err() == nil {
		select {
		case e := <-w.queue:
			w.look(ctx, e)
			continue
		default:
		}
		break
	}
	w.save(ctx, time.Now().Add(2*saveEvery))
}

// look judges one observation and acts.
func (w *Watch) look(ctx context.Context, e audit.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTime)
	defer cancel()
	if e.Person == "" {
		s, err := w.cfg.Current(ctx, e.Device)
		if err != nil {
			return // nobody is signed in there, or nobody knows
		}
		e.Person, e.Tenant, e.Session = s.Person, s.Tenant, s.ID
	}
	p := w.find(ctx, e.Person)
	alarms := w.judge.Load().Observe(p.history, observation(e))
	if len(alarms) > 0 {
		alarms = w.claim(ctx, p, alarms)
	}
	w.mark(p)
	for _, a := range alarms {
		w.act(ctx, e, a)
	}
}

// act puts an alarm on record and does what it leads to. It is done even if
// the record cannot be stored: an attacker must not gain by that.
func (w *Watch) act(ctx context.Context, e audit.Entry, a anomaly.Alarm) {
	record := audit.Entry{
		Time: time.Now(), Event: Event, Outcome: "ok", Tenant: e.Tenant, Person: e.Person, Device: e.Device, Session: e.Session,
		Stream: e.Stream, Call: e.Call, Tool: e.Tool, Site: e.Site, Address: e.Address, Code: string(a.Rule), Detail: a.Text + "; " + string(a.Action),
	}
	if a.Threshold > 0 {
		record.Detail = a.Text + ", from " + figure(a.Threshold) + " on; " + string(a.Action)
	}
	var err error
	if do := w.cfg.Acts[a.Action]; do != nil {
		var done string
		if done, err = do(ctx, e, a); done != "" {
			record.Detail += ": " + done
		}
	}
	if err != nil {
		record.Outcome = "error"
		w.cfg.Log.ErrorContext(ctx, "an alarm could not lead to what it should", "rule", a.Rule, "action", a.Action, "person", e.Person, "err", err)
	}
	if err := w.cfg.Audit.Record(ctx, record); err != nil {
		w.cfg.Log.ErrorContext(ctx, "an alarm could not be recorded", "rule", a.Rule, "person", e.Person, "err", err)
	}
	w.cfg.Log.WarnContext(ctx, "something unusual", "rule", a.Rule, "what", a.Text, "value", a.Value, "threshold", a.Threshold, "action", a.Action,
		"tenant", e.Tenant, "person", e.Person, "device", e.Device, "session", e.Session, "address", e.Address)
}
