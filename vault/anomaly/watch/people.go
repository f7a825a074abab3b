package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

func figure(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// find returns a person, from the store if need be. One who cannot be read is
// like a newcomer, of whom nothing is unusual.
func (w *Watch) find(ctx context.Context, id identity.PersonID) *someone {
	if at := w.people[id]; at != nil {
		w.recent.MoveToFront(at)
		p, _ := at.Value.(*someone)
		return p
	}
	p := &someone{id: id, history: new(anomaly.History)}
	if h, version, err := w.load(ctx, id); err == nil {
		p.history, p.version = h, version
	} else if !errors.Is(err, ErrNone) {
		w.cfg.Log.WarnContext(ctx, "what is usual for a person cannot be read", "person", id, "err", err)
	}
	for w.recent.Len() >= maxPeople {
		w.evict(ctx)
	}
	w.people[id] = w.recent.PushFront(p)
	return p
}

// evict forgets the person who was not seen for longest.
func (w *Watch) evict(ctx context.Context) {
	last := w.recent.Back()
	p, _ := w.recent.Remove(last).(*someone)
	delete(w.people, p.id)
	if !p.due.IsZero() {
		w.dirty = slices.DeleteFunc(w.dirty, func(d *someone) bool { return d == p })
		w.store(ctx, p)
	}
}

// load reads a history. One of an older key or version is as good as none, and
// is replaced.
func (w *Watch) load(ctx context.Context, id identity.PersonID) (*anomaly.History, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	r, err := w.cfg.Store.HistoryGet(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if len(r.Sealed) == 0 {
		return new(anomaly.History), r.Version, nil
	}
	plain, err := w.cfg.Box.Open(r.Sealed, place(id))
	if err == nil {
		var h *anomaly.History
		if h, err = anomaly.Parse(plain); err == nil {
			return h, r.Version, nil
		}
	}
	w.cfg.Log.WarnContext(ctx, "what is usual for a person is learnt anew", "person", id, "err", err)
	return new(anomaly.History), r.Version, nil
}

func place(id identity.PersonID) seal.AAD {
	return seal.AAD{Purpose: "history", Person: string(id), Field: "history", Version: 1}
}

// mark notes that there is something new of a person.
func (w *Watch) mark(p *someone) {
	if p.due.IsZero() {
		p.due = time.Now().Add(saveEvery)
		w.dirty = append(w.dirty, p)
	}
}

// save stores what is due at now.
func (w *Watch) save(ctx context.Context, now time.Time) {
	n := 0
	for n < len(w.dirty) && !w.dirty[n].due.After(now) && ctx.Err() == nil {
		w.store(ctx, w.dirty[n])
		n++
	}
	w.dirty = slices.Delete(w.dirty, 0, n)
}

// store stores a history, merged with what another vault knows. What cannot be
// stored is tried again with the next change.
func (w *Watch) store(ctx context.Context, p *someone) {
	p.due = time.Time{}
	for range tries {
		err := w.put(ctx, p)
		if errors.Is(err, ErrMoved) {
			if _, err = w.merge(ctx, p); err == nil {
				continue
			}
		}
		if err != nil {
			w.cfg.Log.WarnContext(ctx, "what is usual for a person cannot be stored", "person", p.id, "err", err)
		}
		return
	}
}

func (w *Watch) put(ctx context.Context, p *someone) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	sealed, err := w.cfg.Box.Seal(p.history.Append(nil), place(p.id))
	if err != nil {
		return fmt.Errorf("sealing a history: %w", err)
	}
	if err := w.cfg.Store.HistorySave(ctx, Row{p.id, sealed, p.version}, time.Now()); err != nil {
		return err
	}
	p.version++
	return nil
}

// merge adds what is stored to p and returns it.
func (w *Watch) merge(ctx context.Context, p *someone) (stored *anomaly.History, err error) {
	stored, version, err := w.load(ctx, p.id)
	if errors.Is(err, ErrNone) { // taken away meanwhile
		p.version = 0
		return new(anomaly.History), nil
	}
	if err != nil {
		return nil, err
	}
	p.history.Merge(stored)
	p.version = version
	return stored, nil
}

// claim stores the history in which alarms are and returns those that no other
// vault had before. A store that is silent keeps nobody from an alarm.
func (w *Watch) claim(ctx context.Context, p *someone, alarms []anomaly.Alarm) []anomaly.Alarm {
	for range tries {
		err := w.put(ctx, p)
		if !errors.Is(err, ErrMoved) {
			return alarms
		}
		at := p.history.Last()
		stored, err := w.merge(ctx, p)
		if err != nil {
			return alarms
		}
		alarms = slices.DeleteFunc(alarms, func(a anomaly.Alarm) bool { return stored.Quiet(a.Rule, at, w.cfg.Rules.Quiet) })
	}
	return alarms
}

// tidy forgets people now and then, and says what was dropped.
func (w *Watch) tidy(ctx context.Context) {
	if n := w.Dropped(); n > w.told {
		w.cfg.Log.WarnContext(ctx, "too much happened to look at everything for what is unusual", "dropped", n-w.told)
		w.told = n
	}
	if time.Since(w.tidied) < tidyEvery {
		return
	}
	w.tidied = time.Now()
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := w.cfg.Store.HistoryTidy(ctx, time.Now().Add(-keptFor)); err != nil && ctx.Err() == nil {
		w.cfg.Log.WarnContext(ctx, "forgetting people who are gone", "err", err)
	}
}
