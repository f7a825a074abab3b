package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/failpoint"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// Op is one call of a tool.
type Op[T any] struct {
	Tool string
	// Site is the name, address or cloud id of a site; "" where the person
	// has only one, or Page says it.
	Site string
	// Page is the page that the arguments name, if they do: an address
	// chooses the site.
	Page string
	// Input are the arguments of a write: sent again, it must have the same.
	Input any
	// Run acts. It runs at most once. A write may turn out to have been begun
	// before, by another vault; then Run is stopped and has read in vain.
	Run func(ctx context.Context, w *Wiki) (T, error)
	// Settle makes the call a write. It is asked when a write was begun at
	// started and nobody knows whether it happened: it finds out, completes
	// it where Confluence refuses a second time by itself, and returns the
	// result. An error of the code Conflict, and one that wraps [ErrRefused],
	// says that the write certainly did not happen; any other that it cannot
	// tell. What Run found proves something only if [Wiki.Ours].
	Settle func(ctx context.Context, w *Wiki, started time.Time) (T, error)
	// Check tells a person how to find out what became of an unknown write.
	Check string
	// Bulk lets the call take up to [bulk.Timeout], as long as it says that it
	// gets on; see [bulk.Moved]. The caller may end it at any time: of a write, what is
	// being sent is given up then, and settled.
	Bulk bool
}

// action is an Op without its type.
type action struct {
	tool, site, page, check string
	bulk                    bool
	caller                  context.Context //nolint:containedctx // of the one call
	input                   []byte          // nil for a read
	run                     func(context.Context, *Wiki) (any, error)
	settle                  func(context.Context, *Wiki, time.Time) (any, error) // nil for a read
	decode                  func([]byte) (any, error)
}

// Do makes a call for the caller in ctx and returns its result after the
// audit record is stored. Every error is a user error. The T of a write must
// survive JSON.
func Do[T any](ctx context.Context, d *Door, op Op[T]) (T, error) {
	var zero T
	a := action{
		tool: op.Tool, site: op.Site, page: op.Page, check: op.Check, bulk: op.Bulk, caller: ctx,
		run: func(ctx context.Context, w *Wiki) (any, error) { return op.Run(ctx, w) },
	}
	if op.Settle != nil {
		input, err := json.Marshal(op.Input)
		if err != nil {
			return zero, usererr.Wrap(err, usererr.BadInput, "The arguments cannot be read", "")
		}
		a.input = input
		a.settle = func(ctx context.Context, w *Wiki, started time.Time) (any, error) { return op.Settle(ctx, w, started) }
		a.decode = func(data []byte) (any, error) {
			var out T
			err := json.Unmarshal(data, &out)
			return out, err
		}
	}
	out, err := d.do(ctx, a)
	if err != nil {
		return zero, err
	}
	result, ok := out.(T)
	if !ok {
		return zero, usererr.New(usererr.BadInput, "The call was sent again with other arguments", "Make a new call")
	}
	return result, nil
}

type askedKey struct{}

// Asking returns a context for a call with these arguments, as they came: for
// its audit record, which may keep a hash of them.
func Asking(ctx context.Context, arguments []byte) context.Context {
	return context.WithValue(ctx, askedKey{}, arguments)
}

func (d *Door) do(ctx context.Context, a action) (any, error) {
	caller, err := signedIn(ctx)
	if err != nil {
		return nil, err
	}
	rec := newRecord(ctx, caller, a.tool, d.cfg.Policy())
	rec.begun = a.settle != nil && caller.Replayed
	if err = d.stepUp(ctx, caller, a.tool); err != nil {
		return d.answer(ctx, rec, nil, err)
	}
	out, err := d.act(ctx, rec, a)
	return d.answer(ctx, rec, out, err)
}

// act runs the call. What it did before a panic is on record too, and then
// whoever answers for the panic does that.
func (d *Door) act(ctx context.Context, rec *record, a action) (any, error) {
	defer func() {
		if broken := recover(); broken != nil {
			_, _ = d.answer(ctx, rec, nil, fmt.Errorf("panic of type %T", broken)) // the text may be anybody's
			panic(broken)
		}
	}()
	if a.settle == nil {
		return d.read(ctx, rec, a)
	}
	return d.write(ctx, rec, a)
}

// stepUp refuses where a tool needs a fresh sign-in.
func (d *Door) stepUp(ctx context.Context, caller identity.Caller, tool string) error {
	if d.cfg.StepUp == nil {
		return nil
	}
	return d.cfg.StepUp(ctx, caller, tool)
}

// signedIn returns the caller, unless it is a guest.
func signedIn(ctx context.Context) (identity.Caller, error) {
	caller, ok := identity.From(ctx)
	if !ok || caller.Guest() || caller.Person == "" || caller.Tenant == "" {
		return caller, usererr.New(usererr.SignIn, "You are not signed in", "Sign in with the link that your browser shows, then ask again")
	}
	return caller, nil
}

func (d *Door) read(ctx context.Context, rec *record, a action) (any, error) {
	ctx, cancel := a.limited(ctx)
	defer cancel()
	w, err := d.enter(ctx, rec, a)
	if err != nil {
		return nil, err
	}
	return a.run(ctx, w)
}

// Refuse records that a call of tool was refused before it came to [Do], such
// as for its arguments, and returns the error to answer with. A refusal that
// is on record already, and one of a guest, is returned as it is.
func (d *Door) Refuse(ctx context.Context, tool string, refusal error) error {
	if on := (*recorded)(nil); errors.As(refusal, &on) {
		return refusal
	}
	caller, err := signedIn(ctx)
	if err != nil {
		return refusal
	}
	_, err = d.answer(ctx, newRecord(ctx, caller, tool, nil), nil, refusal)
	return err
}

// recorded is an error that is in the audit log.
type recorded struct{ error }

// Unwrap gives the error itself.
func (r *recorded) Unwrap() error { return r.error }

// answer is the way out of every call: the session must still live, and the
// record must be stored, else nothing is answered.
func (d *Door) answer(ctx context.Context, rec *record, out any, err error) (any, error) {
	// The record is stored also when the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if live := d.live(ctx, rec, "Try again in a minute"); live != nil {
		err = live
	}
	entry, err := d.close(ctx, rec, err)
	if err == nil {
		entry.Answered = out
	}
	failpoint.Reach(failpoint.CallDone)
	stored := errors.New("no record was made")
	if record := func(ctx context.Context) { stored = d.cfg.Audit.Record(ctx, entry) }; rec.store == nil {
		record(ctx)
	} else {
		rec.store(ctx, record)
	}
	if stored != nil {
		d.cfg.Log.Error("the audit record was not stored, so the answer is withheld", "err", stored,
			"tenant", rec.caller.Tenant, "person", rec.caller.Person, "stream", rec.caller.Stream, "call", rec.caller.Call)
		hint := "Nothing was changed; try again in a minute, and tell the administrator of the vault if it stays so"
		if rec.begun {
			hint = "A change may have been made, so look before making it again; tell the administrator of the vault if it stays so"
		}
		err = usererr.Wrap(stored, usererr.Unavailable, "The vault cannot store its audit record, so it may not answer", hint)
	}
	failpoint.Reach(failpoint.CallRecorded)
	if err != nil {
		return nil, &recorded{err}
	}
	return out, nil
}

// live refuses for a session that has ended.
func (d *Door) live(ctx context.Context, rec *record, hint string) error {
	err := d.cfg.Live(ctx, rec.caller)
	if err == nil {
		return nil
	}
	if _, ok := usererr.From(err); ok {
		return err
	}
	return usererr.Wrap(err, usererr.Unavailable, "The vault cannot tell whether you are still signed in", hint)
}

// close completes the record and turns err into a user error.
func (d *Door) close(ctx context.Context, rec *record, err error) (audit.Entry, error) {
	entry := rec.entry
	entry.DurationMillis = time.Since(rec.entry.Time).Milliseconds()
	entry.Objects = rec.objects
	entry.Event, entry.Outcome = "call", "ok"
	if rec.withheld > 0 {
		rec.details = append(rec.details, fmt.Sprintf("%d results withheld by policy", rec.withheld))
	}
	entry.Detail = strings.Join(rec.details, "; ")
	if err == nil {
		return entry, nil
	}
	entry.Outcome = "error"
	if errors.Is(err, policy.ErrDenied) {
		entry.Event, entry.Outcome = "call.denied", "denied"
	}
	if errors.Is(err, policy.ErrStepUp) {
		entry.Event, entry.Outcome = "call.step_up", "denied"
	}
	if _, ok := usererr.From(err); !ok {
		entry.Reference = identity.NewID("r_")[:14]
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			err = usererr.Wrap(err, usererr.Timeout, "The call took too long", "Try again; ask for less if it happens again")
		} else {
			d.cfg.Log.ErrorContext(ctx, "a call ended with an internal error", "err", err, "reference", entry.Reference,
				"tool", rec.entry.Tool, "tenant", rec.caller.Tenant, "person", rec.caller.Person, "call", rec.caller.Call)
			err = usererr.Wrap(err, usererr.Internal, "Internal error (reference "+entry.Reference+")",
				"Ask the administrator of the vault to look for this reference in its log")
		}
	}
	entry.Code = string(usererr.CodeOf(err))
	return entry, err
}

// maxObjects limits the objects that one record names.
const maxObjects = 200

// record is the audit record of a call in the making. One goroutine uses it.
type record struct {
	entry    audit.Entry
	caller   identity.Caller
	policy   *policy.Policy
	objects  []string
	details  []string
	withheld int
	begun    bool // a write may have been made, now or when the call came before
	// store puts the result of a write into the journal, and calls record; nil
	// for none.
	store func(ctx context.Context, record func(context.Context))
}

func newRecord(ctx context.Context, caller identity.Caller, tool string, rules *policy.Policy) *record {
	asked, _ := ctx.Value(askedKey{}).([]byte)
	return &record{
		entry: audit.Entry{
			Time: time.Now(), Tenant: caller.Tenant, Person: caller.Person, Device: caller.Device, Session: caller.Session,
			Stream: caller.Stream, Call: clip(caller.Call), Tool: tool, Address: caller.Address, Asked: asked,
		},
		caller: caller, policy: rules,
	}
}

// note names an object that the answer is about.
func (r *record) note(kind, id, space string) {
	name := objectName(kind, id, space)
	if n := len(r.objects); n < maxObjects && (n == 0 || r.objects[n-1] != name) {
		r.objects = append(r.objects, name)
	}
}

// denied names an object that policy withheld, and returns the error.
func (r *record) denied(kind, id, space string) error {
	r.details = append(r.details, "denied: "+objectName(kind, clip(id), clip(space)))
	return policy.ErrDenied
}

func objectName(kind, id, space string) string {
	if space == "" {
		return kind + ":" + id
	}
	return kind + ":" + id + "@" + space
}
