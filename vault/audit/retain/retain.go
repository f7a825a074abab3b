// Package retain drops audit records that are older than they must be kept,
// without breaking their chains: whole days of a chain are sealed with a
// signature, exported if there is a place for that, and then dropped. What is
// left begins behind a signed end.
package retain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	every   = time.Hour
	timeout = 20 * time.Minute
	// maxSegment is how many records a segment has at most.
	maxSegment = 50_000
	page       = 1000

	sealed, dropped = "audit.sealed", "audit.dropped"
	stretch         = "records %d to %d" // in a record of what was dropped
)

// Store keeps segments. It forbids by itself to delete records of any other
// stretch of a chain than one that was marked as dropped.
type Store interface {
	audit.Sink
	// AuditSeal adds a segment behind the last one of its chain. One that is
	// there already, by another replica, is no error.
	AuditSeal(ctx context.Context, s audit.Segment) error
	// AuditDrop marks the segment that ends with record last as dropped and
	// deletes its records; a second time it goes on where the first was
	// interrupted. All segments before it must be dropped.
	AuditDrop(ctx context.Context, tenant identity.TenantID, last int64, at time.Time) error
}

// Config is what a [Keeper] needs. All but Objects is required.
type Config struct {
	Log    *audit.Log
	Store  Store
	Key    *audit.Key
	Keep   time.Duration // how long records are kept at least
	Logger *slog.Logger
	// Objects gets each segment before it is dropped. Nil for none.
	Objects objects.Store
}

// Keeper seals and drops.
type Keeper struct{ cfg Config }

// New returns a keeper.
func New(cfg Config) *Keeper { return &Keeper{cfg} }

// Run seals and drops each hour until ctx ends. What goes wrong is for whoever
// watches the log: records stay longer, which harms nobody.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := k.Round(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Logger.ErrorContext(ctx, "old audit records were not all sealed and dropped", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Round seals what can be sealed and drops what is old enough, of each chain.
// An [audit.BrokenError] says that a chain is not sound: of that one nothing
// is sealed or dropped.
func (k *Keeper) Round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tenants, err := k.cfg.Log.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range tenants {
		if failed := k.chain(ctx, tenant, time.Now()); failed != nil {
			err = errors.Join(err, fmt.Errorf("the chain of tenant %q: %w", tenant, failed))
		}
	}
	return err
}

func (k *Keeper) chain(ctx context.Context, tenant identity.TenantID, now time.Time) error {
	until := now.Add(-k.cfg.Keep)
	list, err := k.cfg.Store.AuditSegments(ctx, tenant)
	if err != nil {
		return err
	}
	for {
		before := len(list)
		if list, err = k.seal(ctx, tenant, list, now); err == nil {
			break
		}
		// Another replica may have sealed and dropped what is missing.
		if _, broken := errors.AsType[*audit.BrokenError](err); !broken {
			return err
		}
		again, failed := k.cfg.Store.AuditSegments(ctx, tenant)
		if failed != nil || len(again) <= before {
			return errors.Join(err, failed)
		}
		list = again
	}
	gone := int64(0) // of the segments that were before
	for _, s := range list {
		if !s.Dropped.IsZero() {
			gone = s.Seq
			continue
		}
		if !s.Until.Before(until) {
			break
		}
		if err := k.drop(ctx, s); err != nil {
			return err
		}
		gone = 0 // all before is gone as well
	}
	if gone == 0 {
		return nil
	}
	return k.cfg.Store.AuditDrop(ctx, tenant, gone, time.Now()) // if it was interrupted
}

// seal seals the whole days behind the last segment that are old at the time
// now, but for the end of the chain, which must stay.
func (k *Keeper) seal(ctx context.Context, tenant identity.TenantID, list []audit.Segment, now time.Time) ([]audit.Segment, error) {
	var end audit.Head
	until, c := now.Add(-k.cfg.Keep), clock{now: now}
	if len(list) > 0 {
		end, c.last = list[len(list)-1].Head, list[len(list)-1].Until
	}
	if err := k.close(ctx, tenant, now); err != nil {
		return list, err
	}
	s := audit.Segment{Tenant: tenant, First: end.Seq + 1, Prev: end.Hash}
	for {
		records, err := k.cfg.Store.AuditRead(ctx, tenant, end.Seq, page)
		if err != nil {
			return list, err
		}
		known := len(records)
		if known == page { // the last are looked at with what follows them
			known -= window
		}
		for i := range known {
			r := &records[i]
			if what := r.Flaw(end.Hash); what != "" || r.Seq != end.Seq+1 {
				return list, &audit.BrokenError{Tenant: tenant, Seq: end.Seq + 1, What: "it is missing or not sound, so it is neither sealed nor dropped: " + what}
			}
			at := c.written(records[i:])
			if full(&s, r.Seq, at) {
				s.Head = end
				if s, err = k.cfg.Key.SignSegment(s); err != nil {
					return list, err
				}
				if err := k.cfg.Store.AuditSeal(ctx, s); err != nil {
					return list, err
				}
				list, s = append(list, s), audit.Segment{Tenant: tenant, First: r.Seq, Prev: end.Hash}
			}
			if !at.Before(until) {
				return list, nil
			}
			extend(&s, r.Seq, at)
			end = r.Head
		}
		if len(records) < page {
			return list, nil
		}
	}
}

// full reports whether s ends before the record seq, which was written at a
// time: with its day, or because it is long.
func full(s *audit.Segment, seq int64, at time.Time) bool {
	if seq <= s.First {
		return false
	}
	return day(at).After(day(s.Since)) || seq-s.First >= maxSegment
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// extend adds a record to the span of s. Clocks of replicas differ, so that
// records are not quite in the order of their times.
func extend(s *audit.Segment, seq int64, at time.Time) {
	if seq == s.First {
		s.Since, s.Until = at, at
	}
	if at.After(s.Until) {
		s.Until = at
	}
}

// close adds a record to a chain where nothing has happened for so long that
// its last record is old, or where its time says nothing: the end of a chain
// cannot be sealed.
func (k *Keeper) close(ctx context.Context, tenant identity.TenantID, now time.Time) error {
	head, err := k.cfg.Store.AuditHead(ctx, tenant)
	if err != nil || head.Seq == 0 {
		return err
	}
	last, err := k.cfg.Store.AuditRead(ctx, tenant, head.Seq-1, 1)
	if err != nil || len(last) == 0 {
		return err
	}
	ours, at := last[0].Event == sealed || last[0].Event == dropped, last[0].Time
	why := "nothing was recorded for so long that all of it is old"
	switch {
	case at.After(now.Add(slack)): // a chain that is closed has a time to go by
		why = "the time of the last record is in the future"
	case ours, !at.Before(now.Add(-k.cfg.Keep)):
		return nil
	}
	return k.cfg.Log.Record(ctx, audit.Entry{
		Event: sealed, Outcome: "ok", Tenant: tenant, Objects: []string{fmt.Sprintf("records to %d", head.Seq)}, Detail: why,
	})
}

// drop exports a segment, puts on record that it goes, and drops it.
func (k *Keeper) drop(ctx context.Context, s audit.Segment) error {
	// What was signed is what is there, or nothing goes.
	if opened, err := audit.OpenSegment(s.Note, k.cfg.Key.Verifier()); err != nil || !bytes.Equal(opened.Hash, s.Hash) || opened.Seq != s.Seq || opened.First != s.First || opened.Tenant != s.Tenant {
		return &audit.BrokenError{Tenant: s.Tenant, Seq: s.First, What: "its segment is not one that this vault's key signed"}
	}
	where := ""
	if gone, err := k.gone(ctx, s); err != nil || gone {
		return err
	}
	if k.cfg.Objects != nil {
		name, err := k.export(ctx, s)
		if err != nil {
			return fmt.Errorf("exporting records %d to %d: %w", s.First, s.Seq, err)
		}
		where = name
		if gone, err := k.gone(ctx, s); err != nil || gone { // which may have taken long
			return err
		}
	}
	err := k.cfg.Log.Record(ctx, audit.Entry{
		Event: dropped, Outcome: "ok", Tenant: s.Tenant, Objects: []string{fmt.Sprintf(stretch, s.First, s.Seq)}, Detail: where,
	})
	if err != nil {
		return err
	}
	return k.cfg.Store.AuditDrop(ctx, s.Tenant, s.Seq, time.Now())
}

// gone looks whether another replica has marked s as dropped meanwhile: then
// that is on record, and the other goes on with it, or the next round does.
func (k *Keeper) gone(ctx context.Context, s audit.Segment) (bool, error) {
	list, err := k.cfg.Store.AuditSegments(ctx, s.Tenant)
	return slices.ContainsFunc(list, func(now audit.Segment) bool { return now.Seq == s.Seq && !now.Dropped.IsZero() }), err
}
