package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/failpoint"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/flight"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// JournalLife is how long the journal remembers a write: longer than any
// shim resends a call.
const JournalLife = 15 * time.Minute

// JournalKey names a call over restarts of the vault.
type JournalKey struct {
	Device identity.DeviceID
	Stream identity.StreamID
	Call   string
}

// JournalEntry is a write that was begun. Result is sealed, and nil until the
// write has finished.
type JournalEntry struct {
	JournalKey
	Person  identity.PersonID
	Tenant  identity.TenantID
	Tool    string
	Print   []byte    // fingerprint of tool, arguments and person
	Started time.Time // whole milliseconds; fences Finish and Drop
	Result  []byte
}

// Journal remembers writes, so that none is made twice. All methods are
// atomic and durable when they return.
type Journal interface {
	// JournalStart inserts e unless its key is there. It returns the entry
	// that stands and whether it is e. With replace, an entry of that key that
	// was begun before e gives way to e; one that was not has come later, to a
	// vault that took over the call.
	JournalStart(ctx context.Context, e JournalEntry, replace bool) (JournalEntry, bool, error)
	// JournalFinish stores the sealed result of the write begun at started.
	JournalFinish(ctx context.Context, key JournalKey, started time.Time, result []byte) error
	// JournalDrop forgets a write that certainly did not happen. One that has
	// a result stays: another process has settled it meanwhile.
	JournalDrop(ctx context.Context, key JournalKey, started time.Time) error
	// JournalClean forgets what was begun before.
	JournalClean(ctx context.Context, before time.Time) (int64, error)
}

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
	key := JournalKey{rec.caller.Device, rec.caller.Stream, callName(rec.caller.Call)}
	print := fingerprint(rec.caller, a)
	f, first := d.flights.Join(key, string(print))
	if !first {
		return d.wait(ctx, rec, f, print)
	}
	end := landed{err: unknown(errors.New("the write came to no end"), a)} // if what follows panics
	defer func() { d.flights.Land(key, f, end) }()
	out, err := d.begun(ctx, rec, a, JournalEntry{
		JournalKey: key, Person: rec.caller.Person, Tenant: rec.caller.Tenant, Tool: a.tool, Print: print,
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

// callName is the id of a call for the journal; a long one is shortened
// without becoming another's.
func callName(id string) string {
	if len(id) <= 100 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func fingerprint(caller identity.Caller, a action) []byte {
	h := sha256.New()
	for _, part := range []string{string(caller.Tenant), string(caller.Person), a.tool, string(a.input)} {
		sum := sha256.Sum256([]byte(part)) // fixed length keeps the parts apart
		h.Write(sum[:])
	}
	return h.Sum(nil)
}

// begun decides between a new write, one that is finished and one to settle.
func (d *Door) begun(ctx context.Context, rec *record, a action, e JournalEntry) (any, error) {
	d.Clean(ctx)
	w, err := d.enter(ctx, rec, a)
	if err != nil {
		return nil, err
	}
	stands, fresh, err := d.cfg.Journal.JournalStart(ctx, e, !rec.caller.Replayed)
	switch {
	case err != nil && rec.begun:
		return nil, unknown(err, a)
	case err != nil:
		return nil, usererr.Wrap(err, usererr.Unavailable, "The vault cannot note the change before making it", "Nothing was changed; try again in a minute")
	}
	rec.begun = true
	switch {
	case fresh:
		failpoint.Reach(failpoint.WriteNoted)
		return d.make(ctx, w, a, e)
	case !bytes.Equal(stands.Print, e.Print):
		return nil, usererr.New(usererr.Unknown, "This call was begun earlier by another sign-in or with other arguments", a.check)
	case stands.Result != nil:
		rec.details = append(rec.details, "sent again: the stored result")
		return d.stored(rec, a, stands)
	}
	rec.details = append(rec.details, "sent again: settled")
	return d.settle(ctx, w, a, stands)
}

// make sends the write. Three eighths of the time are kept for finding out
// what became of it.
func (d *Door) make(ctx context.Context, w *Wiki, a action, e JournalEntry) (any, error) {
	sending, cancel := a.sending(ctx)
	out, err := a.run(sending, w)
	failpoint.Reach(failpoint.WriteMade)
	late := sending.Err() != nil && w.wrote && !errors.Is(err, ErrRefused)
	cancel()
	if err != nil && (late || confluence.Unsure(err)) {
		w.rec.details = append(w.rec.details, "outcome unclear: settled")
		return d.settle(ctx, w, a, e)
	}
	return d.finish(ctx, w, e, out, err)
}

// settle finds out what became of the write e.
func (d *Door) settle(ctx context.Context, w *Wiki, a action, e JournalEntry) (any, error) {
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
func (d *Door) finish(ctx context.Context, w *Wiki, e JournalEntry, out any, failure error) (any, error) {
	if failure != nil {
		// This must not fail because the write took all the time.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
		defer cancel()
		if err := d.cfg.Journal.JournalDrop(ctx, e.JournalKey, e.Started); err != nil {
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
	sealed, err := d.cfg.JournalBox.Seal(plain, journalAAD(e))
	w.rec.store = func(ctx context.Context) {
		if err == nil {
			err = d.cfg.Journal.JournalFinish(ctx, e.JournalKey, e.Started, sealed)
		}
		if err != nil {
			// The change is made. Settling finds it if the call comes again.
			d.cfg.Log.Error("the result of a write is not in the journal", "err", err, "call", e.Call, "stream", e.Stream)
		}
		failpoint.Reach(failpoint.WriteFinished)
	}
	return out, nil
}

func (d *Door) stored(rec *record, a action, e JournalEntry) (any, error) {
	unreadable := usererr.New(usererr.Unknown, "The change was made, but its stored result cannot be read", a.check)
	plain, err := d.cfg.JournalBox.Open(e.Result, journalAAD(e))
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

// journalAAD binds a result to the call that it answers.
func journalAAD(e JournalEntry) seal.AAD {
	sum := sha256.New()
	for _, part := range []string{string(e.Device), string(e.Stream), e.Call, string(e.Print)} {
		one := sha256.Sum256([]byte(part))
		sum.Write(one[:])
	}
	return seal.AAD{
		Purpose: "journal", Tenant: string(e.Tenant), Person: string(e.Person), Field: hex.EncodeToString(sum.Sum(nil)), Version: e.Started.UnixMilli(),
	}
}

// Clean forgets writes older than [JournalLife]. It runs at most once a
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
	if _, err := d.cfg.Journal.JournalClean(ctx, time.Now().Add(-JournalLife)); err != nil {
		d.cfg.Log.Warn("the call journal was not cleaned", "err", err)
	}
}
