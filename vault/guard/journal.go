package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/failpoint"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/flight"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
)

// finished is what a sealed result holds. Spaces are checked against policy
// again before the result is answered a second time.
type finished struct {
	Objects []string        `json:"objects,omitempty"`
	Spaces  []string        `json:"spaces,omitempty"`
	Result  json.RawMessage `json:"result"`
}

// landed is what a write leaves to calls that came again while it was made.
type landed struct {
	out     any
	err     error
	objects []string
}

// write makes a write once. From here on the caller's patience does not
// count: a write that was begun is brought to an end, so that its outcome is
// known when the call is sent again.
func (d *Door) write(ctx context.Context, rec *record, a action) (any, error) {
	ctx, cancel := a.patient(ctx)
	defer cancel()
	key := journal.Key{Device: rec.caller.Device, Stream: rec.caller.Stream, Call: journal.Name(rec.caller.Call)}
	print := journal.Print(rec.caller.Tenant, rec.caller.Person, a.tool, a.input)
	f, first := d.flights.Join(key, string(print))
	if !first {
		return d.wait(ctx, rec, f, print)
	}
	end := landed{err: unknown(errors.New("the write came to no end"), a)} // if what follows panics
	defer func() { d.flights.Land(key, f, end) }()
	out, err := d.begun(ctx, rec, a, journal.Entry{
		Key: key, Person: rec.caller.Person, Tenant: rec.caller.Tenant, Tool: a.tool, Print: print,
		Started: time.Now().Truncate(time.Millisecond),
	})
	end = landed{out, err, rec.objects}
	return out, err
}

// wait gives a call that came again the result of the one that still runs.
func (d *Door) wait(ctx context.Context, rec *record, f *flight.Flight[landed], print []byte) (any, error) {
	if !rec.caller.Replayed || string(print) != f.Label {
		return nil, usererr.New(usererr.BadInput, "A call with this id is already under way", "Use a new id for each call")
	}
	end, err := f.Wait(ctx)
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Timeout, "The change is still being made", "Ask again in a minute; it is not made twice")
	}
	rec.objects, rec.details = end.objects, append(rec.details, "sent again: waited for the first")
	return end.out, end.err
}

// begun makes a new write, once it is noted, or brings one to an end that was
// begun when the call came before.
func (d *Door) begun(ctx context.Context, rec *record, a action, e journal.Entry) (any, error) {
	d.Clean(ctx)
	w, err := d.enter(ctx, rec, a)
	if err != nil {
		return nil, err
	}
	out, n, err := d.make(ctx, w, a, e)
	if n.Free() {
		return out, err
	}
	switch {
	case n.Err != nil && rec.begun:
		return nil, unknown(n.Err, a)
	case n.Err != nil:
		return nil, unnoted(n.Err)
	}
	rec.begun = true
	switch {
	case !bytes.Equal(n.Stands.Print, e.Print):
		return nil, usererr.New(usererr.Unknown, "This call was begun earlier by another sign-in or with other arguments", a.check)
	case n.Stands.Result != nil:
		rec.details = append(rec.details, "sent again: the stored result")
		return d.stored(rec, a, n.Stands)
	}
	rec.details = append(rec.details, "sent again: settled")
	return d.settle(ctx, w, a, n.Stands)
}

// make makes the write if it is a new one. What it reads before, it reads while
// the write is noted; nothing is sent until that is done. Three eighths of the
// time are kept for finding out what became of it.
func (d *Door) make(ctx context.Context, w *Wiki, a action, e journal.Entry) (any, *journal.Noting, error) {
	sending, cancel := a.sending(ctx)
	defer cancel()
	n := journal.Note(ctx, d.cfg.Journal, e, !w.rec.caller.Replayed, cancel)
	if w.rec.caller.Replayed && !n.Free() {
		return nil, n, nil
	}
	before := *w.rec
	w.noting = n
	out, err := a.run(sending, w)
	failpoint.Reach(failpoint.WriteMade)
	late := sending.Err() != nil && w.wrote && !errors.Is(err, ErrRefused)
	cancel()
	w.noting = nil
	if !n.Free() {
		*w.rec, w.seen = before, nil // it has only read
		return nil, n, nil
	}
	w.rec.begun, w.ours = true, true
	if err != nil && (late || confluence.Unsure(err)) {
		w.rec.details = append(w.rec.details, "outcome unclear: settled")
		out, err = d.settle(ctx, w, a, e)
		return out, n, err
	}
	out, err = d.finish(ctx, w, e, out, err)
	return out, n, err
}

// Ours reports, to a Settle, whether it was the Run of this very call that may
// have made the write. Otherwise another vault may have, and what Run found is
// of no account: it may have read in vain, after that.
func (w *Wiki) Ours() bool { return w.ours }

// noted returns once the write of this call is noted, or why nothing may be
// sent.
func (w *Wiki) noted(ctx context.Context) error {
	if w.noting == nil {
		return nil
	}
	var err error
	select {
	case <-w.noting.Known():
		if w.noting.Free() {
			failpoint.Reach(failpoint.WriteNoted)
			w.noting = nil
			return nil
		}
	case <-ctx.Done():
		if err = context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
			return errors.Join(ErrRefused, err) // whoever ended it knows why
		}
	}
	return errors.Join(ErrRefused, unnoted(err))
}

func unnoted(err error) error {
	return usererr.Wrap(err, usererr.Unavailable, "The vault cannot note the change before making it", "Nothing was changed; try again in a minute")
}

// settle finds out what became of the write e.
func (d *Door) settle(ctx context.Context, w *Wiki, a action, e journal.Entry) (any, error) {
	out, err := a.settle(ctx, w, e.Started)
	switch code := usererr.CodeOf(err); {
	case code == usererr.SignIn || code == usererr.Revoked:
		return nil, err // and the journal keeps the entry for the next time
	case err != nil && undecided(err):
		return nil, unknown(err, a)
	}
	return d.finish(ctx, w, e, out, err)
}

// undecided reports whether err leaves the outcome open.
func undecided(err error) bool {
	return confluence.Unsure(err) || !errors.Is(err, ErrRefused) && usererr.CodeOf(err) != usererr.Conflict
}

func unknown(err error, a action) error {
	return usererr.Wrap(err, usererr.Unknown, "It is not known whether the change was made", a.check)
}

// finish has a result stored, or forgets a write that certainly did not happen.
// A result is stored by [Door.answer] at the same time as the call's record, as
// the store commits the two together.
func (d *Door) finish(ctx context.Context, w *Wiki, e journal.Entry, out any, failure error) (any, error) {
	if failure != nil {
		// This must not fail because the write took all the time.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
		defer cancel()
		if err := d.cfg.Journal.JournalDrop(ctx, e.Key, e.Started); err != nil {
			d.cfg.Log.Warn("a write that did not happen stays in the journal", "err", err, "call", e.Call)
		}
		return nil, failure
	}
	result, err := json.Marshal(out)
	if err != nil {
		return nil, errors.Join(errors.New("encoding a result for the journal"), err)
	}
	plain, err := json.Marshal(finished{Objects: w.rec.objects, Spaces: w.seen, Result: result})
	if err != nil {
		return nil, errors.Join(errors.New("encoding a journal entry"), err)
	}
	sealed, err := d.cfg.JournalBox.Seal(plain, e.Place())
	w.rec.store = func(ctx context.Context, record func(context.Context)) {
		if err == nil {
			err = d.cfg.Journal.JournalFinish(ctx, e.Key, e.Started, sealed, func(ctx context.Context) {
				failpoint.Reach(failpoint.WriteFinished)
				record(ctx)
			})
		} else {
			record(ctx)
		}
		if err != nil {
			// The change is made. Settling finds it if the call comes again.
			d.cfg.Log.Error("the result of a write is not in the journal", "err", err, "call", e.Call, "stream", e.Stream)
		}
	}
	return out, nil
}

func (d *Door) stored(rec *record, a action, e journal.Entry) (any, error) {
	unreadable := usererr.New(usererr.Unknown, "The change was made, but its stored result cannot be read", a.check)
	plain, err := d.cfg.JournalBox.Open(e.Result, e.Place())
	if err != nil {
		d.cfg.Log.Error("a stored result cannot be opened", "err", err, "call", e.Call, "stream", e.Stream)
		return nil, unreadable
	}
	var kept finished
	if err := json.Unmarshal(plain, &kept); err != nil {
		return nil, unreadable
	}
	rec.objects = kept.Objects
	for _, key := range kept.Spaces {
		if rec.policy.Space(key) != nil {
			return nil, missing("The page", rec.denied("space", key, ""))
		}
	}
	out, err := a.decode(kept.Result)
	if err != nil {
		return nil, unreadable
	}
	return out, nil
}

// Clean forgets writes older than [journal.Life]. It runs at most once a
// minute, before writes as well, and may be called at any time.
func (d *Door) Clean(ctx context.Context) {
	d.mu.Lock()
	due := time.Since(d.cleaned) > time.Minute
	if due {
		d.cleaned = time.Now()
	}
	d.mu.Unlock()
	if !due {
		return
	}
	if _, err := d.cfg.Journal.JournalClean(ctx, time.Now().Add(-journal.Life)); err != nil {
		d.cfg.Log.Warn("the call journal was not cleaned", "err", err)
	}
}
