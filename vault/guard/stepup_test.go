package guard_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// TestACallThatNeedsAFreshSignIn goes nowhere before there is one: not to the
// journal, not for a token, not to Confluence. It is on record. Sent again
// after the sign-in, it is made once.
func TestACallThatNeedsAFreshSignIn(t *testing.T) {
	r := newRig(t)
	tokens := 0
	token := r.token
	r.token = func() (grant.Token, error) { tokens++; return token() }
	r.stepUp = func(tool string) error {
		if tool != "write" {
			return nil
		}
		return usererr.Wrap(policy.ErrStepUp, usererr.SignIn, "fresh", "")
	}
	made := 0
	write := func(replayed bool) (string, error) {
		caller := ada()
		caller.Replayed = replayed
		return guard.Do(as(t, caller), r.Door, guard.Op[string]{
			Tool: "write", Run: func(context.Context, *guard.Wiki) (string, error) { made++; return "made", nil },
			Settle: func(context.Context, *guard.Wiki, time.Time) (string, error) {
				return "", errors.New("nothing to settle")
			},
		})
	}
	if _, err := write(false); usererr.CodeOf(err) != usererr.SignIn || !errors.Is(err, policy.ErrStepUp) {
		t.Errorf("it was answered %v", err)
	}
	if last := r.last(t); last.Event != "call.step_up" || last.Outcome != "denied" || last.Tool != "write" || last.Code != string(usererr.SignIn) {
		t.Errorf("the record is %+v", last)
	}
	if made != 0 || tokens != 0 || len(r.asked) != 0 || len(r.journal.all) != 0 {
		t.Errorf("made %d, %d tokens, asked %v, journal %v", made, tokens, r.asked, r.journal.all)
	}
	if got, err := read(as(t, ada()), r, says("read", nil)); got != "read" || err != nil {
		t.Errorf("another tool: %q, %v", got, err)
	}
	r.stepUp = nil
	if got, err := write(true); got != "made" || err != nil || made != 1 {
		t.Errorf("after the sign-in: %q, %v, made %d times", got, err, made)
	}
}
