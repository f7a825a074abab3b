package consent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
)

// TestTheSweepLeavesWhoFinishes: a login that came to its last steps just in
// time is finished, however late that is.
func TestTheSweepLeavesWhoFinishes(t *testing.T) {
	sweep := func(t *testing.T, r *rig, want int) {
		t.Helper()
		if ended, err := r.desk.Sweep(t.Context()); err != nil || len(ended) != want {
			t.Errorf("the sweep ended %+v, %v; want %d", ended, err, want)
		}
	}
	late := func(r *rig) (*process, consent.Claim) {
		p := r.process("d", "one")
		p.begin()
		time.Sleep(consent.Life - 3*time.Second)
		return p, p.claim(r.back(r.click(p.begun.Link)))
	}
	t.Run("while the browser is on its way", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			_, claim := late(r)
			time.Sleep(30 * time.Second)
			sweep(t, r, 0)
			if f, err := r.desk.Finish(t.Context(), claim); err != nil || !f.Fresh {
				t.Errorf("finishing gave %+v, %v", f, err)
			}
		})
	})
	t.Run("while it is finished", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.wait = 8 * time.Second
			p, claim := late(r)
			go func() {
				time.Sleep(5 * time.Second)
				sweep(t, r, 0)
				// Nor does another process of the device begin anew.
				if begun := r.process("d", "two").begin(); begun.Fresh || begun.Login.ID != p.begun.Login.ID {
					t.Errorf("another process was answered %+v", begun)
				}
			}()
			f, err := r.desk.Finish(t.Context(), claim)
			if err != nil || !f.Fresh || f.Login.Phase != consent.Granted {
				t.Fatalf("finishing gave %+v, %v", f, err)
			}
			sweep(t, r, 0)
			if l, err := r.desk.Complete(t.Context(), f.Login.ID, "s_1"); err != nil || l.Phase != consent.Done {
				t.Errorf("completing gave %+v, %v", l, err)
			}
			if len(r.ended) != 0 {
				t.Errorf("%v were revoked", r.ended)
			}
		})
	})
	t.Run("until nobody can be at it any more", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			_, claim := late(r)
			f, err := r.desk.Finish(t.Context(), claim)
			if err != nil || !f.Fresh {
				t.Fatalf("finishing gave %+v, %v", f, err)
			}
			time.Sleep(2 * time.Minute) // the vault that finished has died
			sweep(t, r, 1)
			if l, err := r.desk.Complete(t.Context(), f.Login.ID, "s_1"); usererr.CodeOf(err) != usererr.Timeout || l.Phase != consent.Expired {
				t.Errorf("completing gave %+v, %v", l, err)
			}
			if f, err := r.desk.Finish(t.Context(), claim); usererr.CodeOf(err) != usererr.Timeout || f.Fresh {
				t.Errorf("finishing again gave %+v, %v", f, err)
			}
		})
	})
}

// TestALoginThatEndsWhileItIsFinished stays ended, and its grant goes again.
func TestALoginThatEndsWhileItIsFinished(t *testing.T) {
	for name, test := range map[string]struct {
		fault bool // the token endpoint does not answer well either
		end   func(t *testing.T, r *rig, claim consent.Claim)
		code  usererr.Code
		words string
	}{
		"a thief brings the ticket":  {false, thief, usererr.Denied, "Another computer"},
		"a thief, and then no token": {true, thief, usererr.Denied, "Another computer"},
		"the sweep, which should not": {false, func(_ *testing.T, r *rig, _ consent.Claim) {
			r.store.mu.Lock()
			defer r.store.mu.Unlock()
			r.store.expireLocked(time.Now().Add(time.Hour))
		}, usererr.Timeout, "in time"},
		"another request took over": {false, func(_ *testing.T, r *rig, _ consent.Claim) {
			l := r.store.one(r.t)
			l.Details.BusyUntil = time.Now().Add(time.Hour)
			if err := r.store.LoginSave(r.t.Context(), l); err != nil {
				r.t.Error(err)
			}
		}, usererr.Unavailable, "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.wait, r.fault = 5*time.Second, test.fault
				p := r.process("d", "one")
				p.begin()
				claim := p.claim(r.back(r.click(p.begun.Link)))
				go func() {
					time.Sleep(time.Second)
					test.end(t, r, claim)
				}()
				f, err := r.desk.Finish(t.Context(), claim)
				if usererr.CodeOf(err) != test.code || !strings.Contains(usererr.Text(err, ""), test.words) || f.Fresh || f.Ended {
					t.Errorf("finishing gave %+v, %v", f, err)
				}
				if len(r.kept) != len(r.ended) {
					t.Errorf("%d grants were stored and %v revoked", len(r.kept), r.ended)
				}
				if l := r.store.one(t); l.Phase == consent.Granted || l.Phase == consent.Done {
					t.Errorf("the login came back to life: %+v", l)
				}
				if _, err := r.desk.Complete(t.Context(), p.begun.Login.ID, "s_1"); err == nil {
					t.Error("it was completed")
				}
			})
		})
	}
}

// thief brings the ticket from another device.
func thief(t *testing.T, r *rig, claim consent.Claim) {
	t.Helper()
	claim.Device = "thief"
	if f, err := r.desk.Finish(t.Context(), claim); usererr.CodeOf(err) != usererr.Unauthorized || !f.Ended || f.Login.Phase != consent.Failed || f.Login.Code != nil {
		t.Errorf("the thief was answered %+v, %v", f, err)
	}
}

// TestAThiefComesTooLate: once the grant is stored, a wrong claim ends nothing.
func TestAThiefComesTooLate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.process("d", "one")
		p.begin()
		claim := p.claim(r.back(r.click(p.begun.Link)))
		if f, err := r.desk.Finish(t.Context(), claim); err != nil || !f.Fresh {
			t.Fatalf("finishing gave %+v, %v", f, err)
		}
		claim.Device = "thief"
		if f, err := r.desk.Finish(t.Context(), claim); usererr.CodeOf(err) != usererr.Unauthorized || f.Ended || f.Fresh {
			t.Errorf("the thief was answered %+v, %v", f, err)
		}
		for range 2 { // an answer of the store may have been lost
			if l, err := r.desk.Complete(t.Context(), p.begun.Login.ID, "s_1"); err != nil || l.Phase != consent.Done {
				t.Errorf("completing gave %+v, %v", l, err)
			}
		}
		if _, err := r.desk.Complete(t.Context(), p.begun.Login.ID, "s_2"); err == nil {
			t.Error("one login made two sessions")
		}
	})
}
