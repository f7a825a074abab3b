package guard_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// writing is a write whose steps are counted.
type writing struct {
	runs, settles int
	run, settle   func(context.Context) (string, error)
}

func (w *writing) op(input any) guard.Op[string] {
	return guard.Op[string]{
		Tool: "write", Input: input, Check: "Look at it",
		Run: func(ctx context.Context, _ *guard.Wiki) (string, error) {
			w.runs++
			return w.run(ctx)
		},
		Settle: func(ctx context.Context, _ *guard.Wiki, _ time.Time) (string, error) {
			w.settles++
			return w.settle(ctx)
		},
	}
}

func gives(text string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, err }
}

func unsure() error { return &confluence.Error{Kind: confluence.KindUpstream, Unsure: true} }

func TestAFinishedWriteIsAnsweredFromTheJournal(t *testing.T) {
	r, w := newRig(t), writing{run: gives("made", nil)}
	for _, ctx := range []context.Context{as(t, ada()), again(t), again(t)} {
		if got, err := guard.Do(ctx, r.Door, w.op("x")); got != "made" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if w.runs != 1 || w.settles != 0 {
		t.Errorf("run %d times, settled %d times", w.runs, w.settles)
	}
}

// What becomes of a write, by what running and settling it say.
func TestOutcomes(t *testing.T) {
	conflict := usererr.New(usererr.Conflict, "C", "")
	notAllowed := errors.Join(guard.ErrRefused, usererr.New(usererr.Denied, "D", ""))
	signIn := usererr.New(usererr.SignIn, "S", "")
	for name, test := range map[string]struct {
		run, settle error
		want        usererr.Code
		settled     bool
		kept        bool // in the journal
	}{
		"made":                          {want: "", kept: true},
		"refused":                       {run: notAllowed, want: usererr.Denied},
		"conflict":                      {run: conflict, want: usererr.Conflict},
		"nothing sent, internal error":  {run: errors.New("x"), want: usererr.Internal},
		"nothing sent, no sign-in":      {run: signIn, want: usererr.SignIn},
		"unsure, then found":            {run: unsure(), settled: true, kept: true},
		"unsure, then refused":          {run: unsure(), settle: notAllowed, settled: true, want: usererr.Denied},
		"unsure, then a conflict":       {run: unsure(), settle: conflict, settled: true, want: usererr.Conflict},
		"unsure, then unsure":           {run: unsure(), settle: unsure(), settled: true, want: usererr.Unknown, kept: true},
		"unsure, then no sign-in":       {run: unsure(), settle: signIn, settled: true, want: usererr.SignIn, kept: true},
		"unsure, then internal error":   {run: unsure(), settle: errors.New("x"), settled: true, want: usererr.Unknown, kept: true},
		"unsure, then nothing is there": {run: unsure(), settle: usererr.New(usererr.NotFound, "N", ""), settled: true, want: usererr.Unknown, kept: true},
		"unsure refusal":                {run: errors.Join(guard.ErrRefused, unsure()), settled: true, kept: true},
		"unsure conflict":               {run: unsure(), settle: errors.Join(unsure(), conflict), settled: true, want: usererr.Unknown, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := newRig(t), writing{run: gives("out", test.run), settle: gives("out", test.settle)}
			got, err := guard.Do(as(t, ada()), r.Door, w.op("x"))
			if usererr.CodeOf(err) != test.want || (got == "out") != (test.want == "") {
				t.Errorf("%q, %v", got, err)
			}
			if test.want == usererr.Unknown && !strings.Contains(text(err), "Look at it") {
				t.Errorf("no way to check in %q", text(err))
			}
			if w.settles == 1 != test.settled || len(r.journal.all) == 1 != test.kept {
				t.Errorf("settled %d times, %d in the journal", w.settles, len(r.journal.all))
			}
		})
	}
}

func TestAnUnfinishedWriteIsSettledNotMade(t *testing.T) {
	r := newRig(t)
	w := writing{settle: gives("found", nil), run: func(context.Context) (string, error) {
		for !r.journal.has(journal.Key{Device: "d", Stream: "st", Call: "7"}) {
			runtime.Gosched()
		}
		panic("killed")
	}}
	func() {
		defer func() { _ = recover() }()
		_, _ = guard.Do(as(t, ada()), r.Door, w.op("x"))
	}()
	if got, err := guard.Do(again(t), r.Door, w.op("x")); got != "found" || err != nil || w.runs != 1 || w.settles != 1 {
		t.Errorf("%q, %v; run %d times, settled %d times", got, err, w.runs, w.settles)
	}
	if got, err := guard.Do(again(t), r.Door, w.op("x")); got != "found" || err != nil || w.settles != 1 {
		t.Errorf("%q, %v; settled %d times", got, err, w.settles)
	}
}

// The caller gives up, but the write goes on to its end.
func TestAWriteOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		w := writing{run: func(ctx context.Context) (string, error) {
			time.Sleep(3 * time.Second)
			return "made", ctx.Err()
		}}
		ctx, cancel := context.WithTimeout(as(t, ada()), time.Second)
		defer cancel()
		if got, err := guard.Do(ctx, r.Door, w.op("x")); got != "made" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A write that takes too long is settled while there is time for it.
func TestALateWriteIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answers["GET /api/v2/spaces"] = `{"results":[{"id":"7","key":"OPS","name":"Ops"}]}`
		r.answers["POST /api/v2/pages"] = "!"
		op := guard.Op[string]{
			Tool: "write", Input: "x",
			Run: func(ctx context.Context, w *guard.Wiki) (string, error) {
				_, _ = pages.Create(ctx, w, pages.New{Space: "OPS", Title: "T"})
				<-ctx.Done()
				return "", ctx.Err()
			},
			Settle: func(ctx context.Context, _ *guard.Wiki, _ time.Time) (string, error) {
				at, _ := ctx.Deadline()
				if left := time.Until(at); left < 10*time.Second {
					t.Errorf("%v are left", left)
				}
				return "found", ctx.Err()
			},
		}
		begun := time.Now()
		if got, err := guard.Do(as(t, ada()), r.Door, op); got != "found" || err != nil || time.Since(begun) > guard.CallTimeout {
			t.Errorf("%q, %v after %v", got, err, time.Since(begun))
		}
	})
}

func TestSentAgainWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, free := newRig(t), make(chan struct{})
		w := writing{run: func(context.Context) (string, error) {
			<-free
			return "made", nil
		}}
		answers := make(chan string, 3)
		for _, ctx := range []context.Context{as(t, ada()), again(t), again(t)} {
			go func() {
				got, err := guard.Do(ctx, r.Door, w.op("x"))
				answers <- got + text(err)
			}()
			synctest.Wait()
		}
		if _, err := guard.Do(as(t, ada()), r.Door, w.op("x")); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("a new call of the same id: %v", err)
		}
		if _, err := guard.Do(again(t), r.Door, w.op("other")); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("other arguments: %v", err)
		}
		short, cancel := context.WithTimeout(again(t), time.Second)
		defer cancel()
		if _, err := guard.Do(short, r.Door, w.op("x")); usererr.CodeOf(err) != usererr.Timeout {
			t.Errorf("an impatient one: %v", err)
		}
		close(free)
		for range 3 {
			if got := <-answers; got != "made" {
				t.Errorf("%q", got)
			}
		}
		if w.runs != 1 {
			t.Errorf("run %d times", w.runs)
		}
	})
}

func TestWaitersOfAPanicLearnThatNothingIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, free := newRig(t), make(chan struct{})
		w := writing{run: func(context.Context) (string, error) {
			<-free
			panic("a bug")
		}}
		go func() {
			defer func() { _ = recover() }()
			_, _ = guard.Do(as(t, ada()), r.Door, w.op("x"))
		}()
		synctest.Wait()
		waiting := make(chan error)
		go func() {
			_, err := guard.Do(again(t), r.Door, w.op("x"))
			waiting <- err
		}()
		synctest.Wait()
		close(free)
		if err := <-waiting; usererr.CodeOf(err) != usererr.Unknown {
			t.Errorf("%v", err)
		}
	})
}

func TestTheJournalFails(t *testing.T) {
	r, w := newRig(t), writing{run: gives("made", nil)}
	r.journal.failing = "start"
	if got, err := guard.Do(as(t, ada()), r.Door, w.op("x")); usererr.CodeOf(err) != usererr.Unavailable || got != "" || strings.Contains(text(err), "SECRET") {
		t.Errorf("%q, %v", got, err)
	}
	// The change is made, so it is answered.
	r.journal = memory{failing: "finish"}
	if got, err := guard.Do(as(t, ada()), r.Door, w.op("x")); got != "made" || err != nil || !strings.Contains(r.log.String(), "not in the journal") {
		t.Errorf("%q, %v", got, err)
	}
	r.journal = memory{failing: "clean"}
	if got, err := guard.Do(as(t, ada()), r.Door, w.op("x")); got != "made" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// creating is a write that reads a space and then makes a page in it.
func (r *rig) creating() guard.Op[string] {
	r.answers["GET /api/v2/spaces"] = `{"results":[{"id":"7","key":"OPS","name":"Ops"}]}`
	r.answers["POST /api/v2/pages"] = `{"id":"9","spaceId":"7","title":"T","status":"current","version":{"number":1}}`
	return guard.Op[string]{
		Tool: "write", Input: "x", Check: "Look at it",
		Run: func(ctx context.Context, w *guard.Wiki) (string, error) {
			p, err := pages.Create(ctx, w, pages.New{Space: "OPS", Title: "T"})
			return p.ID, err
		},
		Settle: func(_ context.Context, w *guard.Wiki, _ time.Time) (string, error) {
			if w.Ours() {
				return "settled what was made here", nil
			}
			return "settled", nil
		},
	}
}

// sent counts what changes something.
func (r *rig) sent() (n int) {
	for _, request := range r.asked {
		if !strings.HasPrefix(request, "GET ") {
			n++
		}
	}
	return n
}

// TestNothingIsSentBeforeItIsNoted: what a write reads first it reads meanwhile.
func TestNothingIsSentBeforeItIsNoted(t *testing.T) {
	for name, test := range map[string]struct {
		ctx     func(testing.TB) context.Context
		failing string
		stands  *journal.Entry // what is in the journal by then, as begun by another
		reads   bool           // before it is known whether it is noted
		want    string
		code    usererr.Code
	}{
		"noted":                {reads: true, want: "9"},
		"not noted":            {reads: true, failing: "start", code: usererr.Unavailable},
		"begun by another":     {reads: true, stands: &journal.Entry{Print: []byte("other")}, code: usererr.Unknown},
		"begun by another too": {reads: true, stands: &journal.Entry{Print: journal.Print("acme", "p_ada", "write", []byte(`"x"`))}, want: "settled"},
		"sent again":           {ctx: again, want: "9"},
		"sent again, begun":    {ctx: again, stands: &journal.Entry{Print: journal.Print("acme", "p_ada", "write", []byte(`"x"`))}, want: "settled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				op, hold := r.creating(), make(chan struct{})
				r.journal.failing, r.journal.hold = test.failing, hold
				ctx := as(t, ada())
				if test.ctx != nil {
					ctx = test.ctx(t)
				}
				if test.stands != nil {
					test.stands.Key = journal.Key{Device: "d", Stream: "st", Call: "7"}
					test.stands.Started = time.Now().Add(time.Second)
					r.journal.all = map[journal.Key]journal.Entry{test.stands.Key: *test.stands}
				}
				ended := make(chan struct{})
				var got string
				var err error
				go func() {
					defer close(ended)
					got, err = guard.Do(ctx, r.Door, op)
				}()
				synctest.Wait()
				if read := len(r.asked) > 0; read != test.reads || r.sent() > 0 {
					t.Errorf("before it is noted: %q", r.asked)
				}
				close(hold)
				<-ended
				made := 0
				if test.want == "9" {
					made = 1
				}
				if got != test.want || usererr.CodeOf(err) != test.code || r.sent() != made {
					t.Errorf("%q, %v; %q", got, err, r.asked)
				}
				if made == 0 && len(r.last(t).Objects) > 0 {
					t.Errorf("the record names %q", r.last(t).Objects)
				}
			})
		})
	}
}

// TestWhatWasMadeHereIsOurs: settling may go by what Run found.
func TestWhatWasMadeHereIsOurs(t *testing.T) {
	r := newRig(t)
	op := r.creating()
	r.answers["POST /api/v2/pages"] = "!"
	if got, err := guard.Do(as(t, ada()), r.Door, op); got != "settled what was made here" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestRunIsStopped when the write may not be made.
func TestRunIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.journal.failing = "start"
		w, began := writing{run: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}, time.Now()
		if _, err := guard.Do(as(t, ada()), r.Door, w.op("x")); usererr.CodeOf(err) != usererr.Unavailable || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestTheJournalHangs: a write is not sent when the time for sending is over.
func TestTheJournalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.journal.hold = make(chan struct{})
		op := r.creating()
		time.AfterFunc(guard.CallTimeout*3/4, func() { close(r.journal.hold) })
		if got, err := guard.Do(as(t, ada()), r.Door, op); got != "" || usererr.CodeOf(err) != usererr.Unavailable || r.sent() != 0 || len(r.journal.all) != 0 {
			t.Errorf("%q, %v; %q, %d in the journal", got, err, r.asked, len(r.journal.all))
		}
	})
}

func TestThePanicOfAJournalIsTheCallers(t *testing.T) {
	r := newRig(t)
	r.journal.failing = "start, with a panic"
	defer func() {
		if broken := recover(); broken != "a bug" || r.last(t).Outcome != "error" || r.sent() != 0 {
			t.Errorf("%v; %+v", broken, r.last(t))
		}
	}()
	_, err := guard.Do(as(t, ada()), r.Door, r.creating())
	t.Error(err)
}

// TestWithoutARecord says whether something may have been changed, where the
// store takes no record of a write.
func TestWithoutARecord(t *testing.T) {
	const nothing, maybe = "Nothing was changed; try again", "A change may have been made, so look before making it again"
	for name, test := range map[string]struct {
		ctx     func(testing.TB) context.Context
		journal string // the method that fails
		want    string
	}{
		"before it was made": {func(t testing.TB) context.Context { return as(t, ada()) }, "start", nothing},
		"after it was made":  {func(t testing.TB) context.Context { return as(t, ada()) }, "", maybe},
		"sent again":         {again, "start", maybe},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := newRig(t), writing{run: gives("made", nil)}
			r.auditErr, r.journal.failing = errors.New("SECRET"), test.journal
			_, err := guard.Do(test.ctx(t), r.Door, w.op("x"))
			if said := text(err); !strings.HasPrefix(said, "The vault cannot store its audit record, so it may not answer. "+test.want) {
				t.Errorf("it says %q", said)
			}
		})
	}
	r, w := newRig(t), writing{run: gives("made", nil)}
	r.auditErr, r.stepUp = errors.New("SECRET"), func(string) error { return errors.New("a fresh sign-in is needed") }
	if _, err := guard.Do(again(t), r.Door, w.op("x")); !strings.Contains(text(err), maybe) {
		t.Errorf("sent again, where a fresh sign-in is needed: %v", err)
	}
	r, w = newRig(t), writing{run: gives("made", nil)}
	r.journal.failing = "start"
	if _, err := guard.Do(again(t), r.Door, w.op("x")); usererr.CodeOf(err) != usererr.Unknown || !strings.Contains(text(err), "Look at it") {
		t.Errorf("sent again, with a journal that fails: %v", err)
	}
}

func TestADamagedResultIsNotAnswered(t *testing.T) {
	r, w := newRig(t), writing{run: gives("made", nil)}
	if _, err := guard.Do(as(t, ada()), r.Door, w.op("x")); err != nil {
		t.Fatal(err)
	}
	for key, e := range r.journal.all {
		e.Result = []byte("damaged")
		r.journal.all[key] = e
	}
	if got, err := guard.Do(again(t), r.Door, w.op("x")); usererr.CodeOf(err) != usererr.Unknown || got != "" || w.runs != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

// A result about a space is not answered again once policy denies that space.
func TestAStoredResultAboutASpace(t *testing.T) {
	r := newRig(t)
	op := guard.Op[string]{
		Tool: "write", Input: "x", Check: "Look at it",
		Run: func(_ context.Context, w *guard.Wiki) (string, error) {
			w.Note("space", "OPS", "")
			return "OPS was made", nil
		},
		Settle: func(context.Context, *guard.Wiki, time.Time) (string, error) { return "", errors.New("not asked") },
	}
	if _, err := guard.Do(as(t, ada()), r.Door, op); err != nil || r.last(t).Objects[0] != "space:OPS" {
		t.Fatal(err, r.last(t))
	}
	r.rules.Access.DeniedSpaces = []string{"OPS"}
	if got, err := guard.Do(again(t), r.Door, op); got != "" || usererr.CodeOf(err) != usererr.NotFound {
		t.Errorf("%q, %v", got, err)
	}
}

// A session that ended before the write begins makes no write.
func TestNoWriteForADeadSession(t *testing.T) {
	r, w := newRig(t), writing{run: gives("made", nil)}
	r.live = func() error { return errors.New("the store is gone") }
	if _, err := guard.Do(as(t, ada()), r.Door, w.op("x")); usererr.CodeOf(err) != usererr.Unavailable || w.runs != 0 || len(r.journal.all) != 0 {
		t.Errorf("%v after %d runs", err, w.runs)
	}
}

// Ids may be long, but not what the journal keeps of them; two long ones stay
// two.
func TestLongIdsAreShortened(t *testing.T) {
	r, w := newRig(t), writing{run: gives("made", nil)}
	for _, end := range []string{"a", "b"} {
		caller := ada()
		caller.Call = strings.Repeat("x", 1<<16) + end
		if _, err := guard.Do(as(t, caller), r.Door, w.op("x")); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.journal.all) != 2 {
		t.Errorf("%d entries", len(r.journal.all))
	}
	for key := range r.journal.all {
		if len(key.Call) > 100 {
			t.Errorf("a key of %d bytes", len(key.Call))
		}
	}
	if n := len(r.last(t).Call); n > 400 {
		t.Errorf("the record has an id of %d bytes", n)
	}
}

func TestTheJournalIsCleaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := newRig(t), writing{run: gives("made", nil)}
		for i := range 40 {
			caller := ada()
			caller.Stream = identity.StreamID(rune('a' + i))
			if _, err := guard.Do(as(t, caller), r.Door, w.op("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
		}
		if n := len(r.journal.all); n > 33 || n < 29 || r.journal.cleaned > 20 {
			t.Errorf("%d entries after %d cleanings", n, r.journal.cleaned)
		}
	})
}
