package guard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// read makes a call that reads and does what run says.
func read(ctx context.Context, r *rig, run func(context.Context, *guard.Wiki) (string, error)) (string, error) {
	return guard.Do(ctx, r.Door, guard.Op[string]{Tool: "tool", Run: run})
}

func says(answer string, err error) func(context.Context, *guard.Wiki) (string, error) {
	return func(context.Context, *guard.Wiki) (string, error) { return answer, err }
}

func TestEachCallIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		got, err := read(guard.Asking(as(t, ada()), []byte(`{"page":"1"}`)), r, func(context.Context, *guard.Wiki) (string, error) {
			time.Sleep(1500 * time.Millisecond)
			return "answer", nil
		})
		if got != "answer" || err != nil {
			t.Fatal(got, err)
		}
		want := []audit.Entry{{
			Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Event: "call", Outcome: "ok", Tenant: "acme", Person: "p_ada", Device: "d", Session: "s_1",
			Grant: "g_1", Stream: "st", Call: "7", Tool: "tool", Site: "acme", Address: "192.0.2.1", DurationMillis: 1500, Asked: []byte(`{"page":"1"}`), Answered: "answer",
		}}
		if diff := cmp.Diff(want, r.audited); diff != "" {
			t.Error(diff)
		}
	})
}

// A tool that breaks is on record with what it had seen, and the one who answers
// hears of it.
func TestWhatBreaksIsOnRecord(t *testing.T) {
	r := newRig(t)
	broken := func() (broken any) {
		defer func() { broken = recover() }()
		_, _ = read(as(t, ada()), r, func(context.Context, *guard.Wiki) (string, error) { panic("CANARY") })
		return nil
	}()
	if broken != "CANARY" {
		t.Errorf("what came out: %v", broken)
	}
	if e := r.last(t); len(r.audited) != 1 || e.Outcome != "error" || e.Reference == "" || e.Tool != "tool" {
		t.Errorf("on record: %+v", r.audited)
	}
	if strings.Contains(fmt.Sprint(r.audited), "CANARY") {
		t.Error("the record says what the panic said")
	}
}

func TestGuestsDoNothing(t *testing.T) {
	r := newRig(t)
	for _, ctx := range []context.Context{
		t.Context(), as(t, identity.Caller{Device: "d"}), as(t, identity.Caller{Session: "s", Person: "p"}), as(t, identity.Caller{Session: "s", Tenant: "t"}),
	} {
		_, err := read(ctx, r, func(context.Context, *guard.Wiki) (string, error) {
			t.Error("a guest's call runs")
			return "", nil
		})
		if usererr.CodeOf(err) != usererr.SignIn {
			t.Errorf("%v", err)
		}
		if refusal := usererr.New(usererr.BadInput, "x", ""); r.Refuse(ctx, "tool", refusal) != error(refusal) {
			t.Error("a guest's refusal was changed")
		}
	}
	if len(r.audited) > 0 {
		t.Errorf("%+v", r.audited)
	}
}

// What stands in the way of an answer, and what is said instead.
func TestAnswersThatMayNotLeave(t *testing.T) {
	outage := errors.New("SECRET-INTERNAL")
	for name, test := range map[string]struct {
		breaks func(*rig)
		run    error
		want   usererr.Code
		onFile bool
	}{
		"session gone":        {func(r *rig) { r.live = func() error { return usererr.New(usererr.Revoked, "Gone", "") } }, nil, usererr.Revoked, true},
		"session unknown":     {func(r *rig) { r.live = func() error { return outage } }, nil, usererr.Unavailable, true},
		"no record":           {func(r *rig) { r.auditErr = outage }, nil, usererr.Unavailable, false},
		"no token":            {func(r *rig) { r.token = func() (grant.Token, error) { return grant.Token{}, outage } }, nil, usererr.Unavailable, true},
		"no site":             {func(r *rig) { r.token = func() (grant.Token, error) { return grant.Token{}, nil } }, nil, usererr.Denied, true},
		"internal error":      {func(*rig) {}, outage, usererr.Internal, true},
		"too late":            {func(*rig) {}, context.DeadlineExceeded, usererr.Timeout, true},
		"an error for people": {func(*rig) {}, usererr.New(usererr.Conflict, "C", ""), usererr.Conflict, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			test.breaks(r)
			got, err := read(as(t, ada()), r, says("CONTENT", test.run))
			if got != "" || usererr.CodeOf(err) != test.want || strings.Contains(text(err), "SECRET") {
				t.Errorf("%q, %v", got, err)
			}
			if len(r.audited) == 1 != test.onFile || test.onFile && (r.audited[0].Outcome != "error" || r.audited[0].Code != string(test.want)) {
				t.Errorf("%+v", r.audited)
			}
			if test.want == usererr.Internal && (r.last(t).Reference == "" || !strings.Contains(text(err), r.last(t).Reference) || !strings.Contains(r.log.String(), r.last(t).Reference)) {
				t.Errorf("the reference is not the same everywhere: %s\n%s", text(err), &r.log)
			}
		})
	}
}

func TestRefusalsAreOnRecordOnce(t *testing.T) {
	r := newRig(t)
	err := r.Refuse(as(t, ada()), "tool", usererr.New(usererr.BadInput, "No such argument", ""))
	if e := r.last(t); e.Outcome != "error" || e.Code != "bad_input" || e.Tool != "tool" || usererr.CodeOf(err) != usererr.BadInput {
		t.Errorf("%+v, %v", e, err)
	}
	_, err = read(as(t, ada()), r, says("", usererr.New(usererr.NotFound, "No page", "")))
	if err = r.Refuse(as(t, ada()), "tool", err); len(r.audited) != 2 || usererr.CodeOf(err) != usererr.NotFound {
		t.Errorf("%d records, %v", len(r.audited), err)
	}
	r.auditErr = errors.New("disk full")
	if err := r.Refuse(as(t, ada()), "tool", usererr.New(usererr.BadInput, "No such argument", "")); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("%v", err)
	}
}

// The record is stored even if nobody waits for the answer any more.
func TestTheRecordOutlivesTheCaller(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(as(t, ada()))
	_, err := read(ctx, r, func(ctx context.Context, _ *guard.Wiki) (string, error) {
		cancel()
		return "", ctx.Err()
	})
	if usererr.CodeOf(err) != usererr.Timeout || len(r.audited) != 1 {
		t.Errorf("%v, %d records", err, len(r.audited))
	}
}

func TestReadsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		begun := time.Now()
		_, err := read(as(t, ada()), r, func(ctx context.Context, _ *guard.Wiki) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		if usererr.CodeOf(err) != usererr.Timeout || time.Since(begun) != guard.CallTimeout {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestStatus(t *testing.T) {
	r := newRig(t)
	if got, err := r.Status(t.Context()); got.SignedIn || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	got, err := r.Status(as(t, ada()))
	if err != nil || !got.SignedIn || got.Grant.ID != "g_1" || r.last(t).Tool != "coatcheck_status" {
		t.Errorf("%+v, %v", got, err)
	}
	r.live = func() error { return usererr.New(usererr.Revoked, "Gone", "") }
	if got, err := r.Status(as(t, ada())); usererr.CodeOf(err) != usererr.Revoked || got.Grant.ID != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		type place struct{ At int }
		cursor, err := r.Cursor(as(t, ada()), "tool", place{7})
		if err != nil {
			t.Fatal(err)
		}
		var got place
		if err := r.OpenCursor(as(t, ada()), "tool", cursor, &got); err != nil || got.At != 7 {
			t.Errorf("%+v, %v", got, err)
		}
		ben := ada()
		ben.Person = "p_ben"
		if err := r.OpenCursor(as(t, ben), "tool", cursor, &got); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("another person: %v", err)
		}
		for name, text := range map[string]string{"damaged": cursor[1:], "empty": "", "huge": strings.Repeat("A", 1<<20), "not base64": "!!!"} {
			if err := r.OpenCursor(as(t, ada()), "tool", text, &got); usererr.CodeOf(err) != usererr.BadInput {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := r.OpenCursor(as(t, ada()), "other", cursor, &got); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("another tool: %v", err)
		}
		if err := r.OpenCursor(t.Context(), "tool", cursor, &got); usererr.CodeOf(err) != usererr.SignIn {
			t.Errorf("a guest: %v", err)
		}
		time.Sleep(25 * time.Hour)
		if err := r.OpenCursor(as(t, ada()), "tool", cursor, &got); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("an old one: %v", err)
		}
	})
}
