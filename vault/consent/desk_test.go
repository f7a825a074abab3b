package consent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newRig(t)) })
}

func TestFromLinkToGrant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.process("d", "one")
		if begun := p.begin(); !begun.Open || !begun.Fresh || begun.Login.Tenant != "acme" {
			t.Fatalf("the beginning is %+v", begun)
		}
		at := r.back(r.click(p.begun.Link))
		f, err := r.desk.Finish(t.Context(), p.claim(at))
		if err != nil || !f.Fresh || f.Login.Phase != consent.Granted {
			t.Fatalf("finishing gave %+v, %v", f, err)
		}
		if f.Login.Code != nil {
			t.Error("the code outlived its use")
		}
		if len(r.kept) != 1 || r.kept[0].Tenant != "acme" || r.kept[0].Account != "ada" || len(r.kept[0].Sites) != 1 {
			t.Errorf("the grants are %+v", r.kept)
		}
		l, err := r.desk.Complete(t.Context(), f.Login.ID, "s_1")
		if err != nil || l.Phase != consent.Done || l.Details.Result.Session != "s_1" || l.Details.Result.Name != "Ada Berger" {
			t.Errorf("completing gave %+v, %v", l, err)
		}
		// A login that is over keeps its link and no secret.
		kept, err := r.box.Open(l.Secrets, seal.AAD{Purpose: "login", Grant: string(l.ID), Field: "secrets", Version: 1})
		if want := `{"link":"` + p.begun.Link.Reveal() + `"}`; err != nil || string(kept) != want || l.Code != nil {
			t.Errorf("what is kept is %q, %v; the code is %d bytes", kept, err, len(l.Code))
		}
		again, err := r.desk.Finish(t.Context(), p.claim(at))
		if err != nil || again.Fresh || again.Link.Reveal() != p.begun.Link.Reveal() {
			t.Errorf("finishing again gave %+v, %v", again, err)
		}
		if r.asked["/oauth/token"] != 1 {
			t.Errorf("the token endpoint was asked %d times", r.asked["/oauth/token"])
		}
	})
}

// TestNothingIsReadable: what is stored says nothing to who has the store and
// not the key.
func TestNothingIsReadable(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.process("d", "one")
		p.begin()
		cookie, state := r.click(p.begun.Link)
		at := r.back(cookie, state)
		l := r.store.one(t)
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		all := string(text) + string(l.Secrets) + string(l.Code) + string(l.Details.Ticket) + string(l.Details.Cookie)
		for name, value := range map[string]string{
			"link": p.begun.Link.Reveal(), "cookie": cookie, "state": state, "code": "the-code", "ticket": at.Query().Get("ticket"), "verifier": p.verifier,
		} {
			if strings.Contains(all, value) {
				t.Errorf("the %s is stored as it is", name)
			}
		}
		// A sealed value that is moved to another login does not open.
		other := r.process("e", "two")
		other.begin()
		r.store.mu.Lock()
		l.ID, l.Device, l.Link, l.State = "l_other", "f", []byte("x"), []byte("y")
		r.store.logins[l.ID] = l
		start := consent.Start{ID: l.Details.Chosen, Login: l.ID, Device: "f", Loopback: p.ask.Loopback, Challenge: p.ask.Challenge}
		r.store.starts[start.ID] = start
		r.store.mu.Unlock()
		claim := p.claim(at)
		claim.Device = "f"
		if f, err := r.desk.Finish(t.Context(), claim); err == nil || usererr.CodeOf(err) != usererr.Internal {
			t.Errorf("a moved login was finished: %+v, %v", f, err)
		}
		if len(r.kept) != 0 {
			t.Error("a grant was stored")
		}
	})
}

// TestWhoOpensTheTab follows the right to open it.
func TestWhoOpensTheTab(t *testing.T) {
	opens := func(t *testing.T, p *process, want bool) {
		t.Helper()
		if begun := p.begin(); begun.Open != want {
			t.Errorf("%s may open the tab: %t, want %t", p.ask.Stream, begun.Open, want)
		}
	}
	for name, test := range map[string]func(t *testing.T, r *rig, one, two *process){
		"the first keeps it": func(t *testing.T, _ *rig, one, two *process) {
			opens(t, two, false)
			opens(t, one, true)
			time.Sleep(time.Minute)
			opens(t, two, false)
		},
		"handed on when it cannot open one": func(t *testing.T, _ *rig, one, two *process) {
			opens(t, two, false)
			one.ask.OpenFailed = true
			opens(t, one, false)
			opens(t, two, true)
			one.ask.OpenFailed = false
			opens(t, one, false)
		},
		"handed on when it died": func(t *testing.T, r *rig, one, two *process) {
			one.leave()
			opens(t, two, false) // its link may heal
			time.Sleep(10 * time.Second)
			opens(t, two, true)
		},
		"not while it may be connected to another replica": func(t *testing.T, r *rig, _, two *process) {
			r.live("one", false)
			time.Sleep(time.Minute)
			opens(t, two, false)
		},
		"handed on when it died with its replica": func(t *testing.T, r *rig, _, two *process) {
			r.live("one", false)
			time.Sleep(2 * time.Minute)
			opens(t, two, true)
		},
		"not when it came back": func(t *testing.T, _ *rig, one, two *process) {
			one.leave()
			opens(t, one, true) // at another replica
			time.Sleep(10 * time.Second)
			opens(t, two, false)
		},
		"not when it came back before its loss was noticed": func(t *testing.T, r *rig, one, two *process) {
			lost := time.Now()
			r.live("one", false)
			time.Sleep(3 * time.Second)
			opens(t, one, true) // at another replica
			time.Sleep(time.Minute)
			one.lost(lost)
			opens(t, two, false)
		},
		"not when it came back to the same replica": func(t *testing.T, r *rig, one, two *process) {
			one.lost(time.Now())
			r.live("one", false) // and went on from there
			time.Sleep(10 * time.Second)
			opens(t, two, false)
		},
		"not once a browser shows the page": func(t *testing.T, r *rig, one, two *process) {
			if _, err := r.desk.Visit(t.Context(), one.begun.Link.Reveal(), true); err != nil {
				t.Fatal(err)
			}
			one.leave()
			time.Sleep(10 * time.Second)
			opens(t, two, false)
		},
		"a program that fetches the page is no browser": func(t *testing.T, r *rig, one, two *process) {
			if _, err := r.desk.Visit(t.Context(), one.begun.Link.Reveal(), false); err != nil {
				t.Fatal(err)
			}
			one.leave()
			time.Sleep(10 * time.Second)
			opens(t, two, true)
		},
		"a vault that was just started has seen nobody yet": func(t *testing.T, r *rig, _, two *process) {
			r.live("one", false)
			time.Sleep(10 * time.Second)
			r.boot([]identity.TenantID{"acme"})
			opens(t, two, false)
			time.Sleep(2 * time.Minute)
			opens(t, two, true)
		},
		"a command takes it": func(t *testing.T, r *rig, one, _ *process) {
			command := r.process("d", "")
			command.ask.Force = true
			opens(t, command, true)
			opens(t, one, false)
		},
		"the answer was lost": func(t *testing.T, r *rig, one, _ *process) {
			one.ask.Start = ""
			opens(t, one, true)
			if n := len(r.store.starts); n != 1 {
				t.Errorf("there are %d starts", n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				time.Sleep(time.Hour) // the vault has been up for long
				one, two := r.process("d", "one"), r.process("d", "two")
				opens(t, one, true)
				test(t, r, one, two)
			})
		})
	}
}

// TestWhereTheBrowserGoes: to a process that lives, the opener first.
func TestWhereTheBrowserGoes(t *testing.T) {
	all := []string{"one", "two", "three"}
	for name, test := range map[string]struct {
		elsewhere []string // not connected to this replica
		left      []string // of these, who lost the connection to another one
		after     time.Duration
		want      string
	}{
		"the opener":                 {nil, nil, 0, "one"},
		"the next that is here":      {[]string{"one"}, nil, 0, "three"}, // it asked last
		"the only that is here":      {[]string{"one", "three"}, nil, 0, "two"},
		"and long after":             {[]string{"one", "three"}, nil, 5 * time.Minute, "two"},
		"who asked last":             {all, nil, 0, "three"},
		"who has not left":           {all, []string{"one", "three"}, 0, "two"},
		"the opener, who waits":      {all, nil, 5 * time.Minute, "one"},
		"the opener, as others left": {all, []string{"two", "three"}, 0, "one"},
		"a stranger's silence":       {all, []string{"one"}, 5 * time.Minute, "three"},
		"all have left":              {all, all, 0, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				all := map[string]*process{}
				for _, name := range []string{"one", "two", "three"} {
					all[name] = r.process("d", name)
					all[name].begin()
					time.Sleep(time.Second)
				}
				for _, name := range test.elsewhere {
					r.live(name, false)
				}
				for _, name := range test.left {
					all[name].lost(time.Now())
				}
				time.Sleep(test.after)
				at := r.back(r.click(all["one"].begun.Link))
				if got, want := at.Query().Get("start"), string(all[test.want].begun.Start); got != want {
					t.Errorf("the browser goes to %s, want %s (%s)", got, want, test.want)
				}
				at.RawQuery = ""
				if at.String() != all[test.want].ask.Loopback {
					t.Errorf("the browser goes to %s", at)
				}
			})
		})
	}
}

// TestTimes: a login ends after ten minutes, a ticket after one.
func TestTimes(t *testing.T) {
	t.Run("late click", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			p := r.process("d", "one")
			p.begin()
			v, err := r.desk.Visit(t.Context(), p.begun.Link.Reveal(), true)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(consent.Life)
			if _, err := r.desk.Continue(t.Context(), p.begun.Link.Reveal(), consent.Click{Form: v.Form.Reveal()}); !errors.Is(err, consent.ErrUsed) {
				t.Errorf("going on says %v", err)
			}
			if v, err := r.desk.Visit(t.Context(), p.begun.Link.Reveal(), true); err != nil || v.Login.Phase != consent.Expired {
				t.Errorf("the visit is %+v, %v", v, err)
			}
			ended, err := r.desk.Sweep(t.Context())
			if err != nil || len(ended) != 1 || len(ended[0].Secrets) != 0 {
				t.Errorf("the sweep ended %+v, %v", ended, err)
			}
			if again, err := r.desk.Sweep(t.Context()); err != nil || len(again) != 0 {
				t.Errorf("the next sweep ended %+v, %v", again, err)
			}
			time.Sleep(25 * time.Hour)
			if _, err := r.desk.Sweep(t.Context()); err != nil || len(r.store.logins) != 0 {
				t.Errorf("after a day there are %d logins, %v", len(r.store.logins), err)
			}
			if p.ask.Start = ""; !p.begin().Fresh {
				t.Error("no new login begins")
			}
		})
	})
	t.Run("late callback", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			p := r.process("d", "one")
			p.begin()
			cookie, state := r.click(p.begun.Link)
			time.Sleep(consent.Life + time.Second)
			to, err := r.desk.Return(t.Context(), consent.Callback{Tenant: "acme", State: state, Code: "c", Cookie: func(consent.Login) string { return cookie }})
			if err != nil || to.Loopback != "" || to.Login.Phase != consent.Failed || to.Login.Details.Reason.Code != usererr.Timeout {
				t.Errorf("coming back gave %+v, %v", to, err)
			}
		})
	})
	t.Run("late ticket", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			p := r.process("d", "one")
			p.begin()
			at := r.back(r.click(p.begun.Link))
			time.Sleep(61 * time.Second)
			f, err := r.desk.Finish(t.Context(), p.claim(at))
			if usererr.CodeOf(err) != usererr.Timeout || !f.Ended {
				t.Errorf("finishing gave %+v, %v", f, err)
			}
			if l := r.store.one(t); l.Code != nil || l.Phase != consent.Failed || r.asked["/oauth/token"] != 0 {
				t.Errorf("the login is %+v", l)
			}
		})
	})
}

// TestOneFinishes: of many at once one redeems, the others wait for it.
func TestOneFinishes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.wait = 5 * time.Second
		p := r.process("d", "one")
		p.begin()
		at := r.back(r.click(p.begun.Link))
		var fresh atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				f, err := r.desk.Finish(t.Context(), p.claim(at))
				if err != nil {
					t.Errorf("finishing gave %v", err)
				}
				if f.Fresh {
					fresh.Add(1)
					if _, err := r.desk.Complete(t.Context(), f.Login.ID, "s_1"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if fresh.Load() != 1 || r.asked["/oauth/token"] != 1 {
			t.Errorf("%d redeemed, %d requests", fresh.Load(), r.asked["/oauth/token"])
		}
	})
}

// TestAVaultDiesWhileItFinishes: after a while another request takes over.
func TestAVaultDiesWhileItFinishes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.process("d", "one")
		p.begin()
		at := r.back(r.click(p.begun.Link))
		if f, err := r.desk.Finish(t.Context(), p.claim(at)); err != nil || !f.Fresh {
			t.Fatalf("finishing gave %+v, %v", f, err)
		}
		// It died before it made the session.
		time.Sleep(20 * time.Second)
		f, err := r.desk.Finish(t.Context(), p.claim(at))
		if err != nil || !f.Fresh || f.Login.Details.Result.Grant != "g_1" {
			t.Errorf("finishing later gave %+v, %v", f, err)
		}
		if len(r.kept) != 1 || r.asked["/oauth/token"] != 1 {
			t.Errorf("%d grants after %d requests", len(r.kept), r.asked["/oauth/token"])
		}
		// It could not make the session, and the next may try at once.
		if err := r.desk.Release(t.Context(), f.Login.ID); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if f, err := r.desk.Finish(t.Context(), p.claim(at)); err != nil || !f.Fresh || time.Since(now) > time.Second {
			t.Errorf("after a release it gave %+v, %v", f, err)
		}
	})
}

func TestAGrantThatCannotBeStored(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.keep = fmt.Errorf("disk full")
		p := r.process("d", "one")
		p.begin()
		f, err := r.desk.Finish(t.Context(), p.claim(r.back(r.click(p.begun.Link))))
		if !f.Ended || usererr.CodeOf(err) != usererr.Internal || strings.Contains(usererr.Text(err, ""), "disk") {
			t.Errorf("finishing gave %+v, %v", f, err)
		}
		if l := r.store.one(t); l.Phase != consent.Failed || l.Code != nil {
			t.Errorf("the login is %+v", l)
		}
	})
}

func TestAfterALogin(t *testing.T) {
	finish := func(t *testing.T, r *rig) {
		t.Helper()
		p := r.process("d", "one")
		p.begin()
		f, err := r.desk.Finish(t.Context(), p.claim(r.back(r.click(p.begun.Link))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.desk.Complete(t.Context(), f.Login.ID, "s_1"); err != nil {
			t.Fatal(err)
		}
	}
	bubble(t, func(t *testing.T, r *rig) {
		finish(t, r)
		late := r.process("d", "two")
		if begun := late.begin(); !begun.Already || begun.Open || begun.Fresh {
			t.Errorf("a start that comes late is answered %+v", begun)
		}
		force := r.process("d", "three")
		force.ask.Force = true
		if begun := force.begin(); begun.Already || !begun.Open || !begun.Fresh {
			t.Errorf("a command right after is answered %+v", begun)
		}
	})
	bubble(t, func(t *testing.T, r *rig) {
		finish(t, r)
		r.signedOut = true // the session was taken away at once
		if begun := r.process("d", "two").begin(); begun.Already || !begun.Open || !begun.Fresh {
			t.Errorf("a start after a revocation is answered %+v", begun)
		}
	})
	bubble(t, func(t *testing.T, r *rig) {
		finish(t, r)
		time.Sleep(time.Minute)
		if begun := r.process("d", "two").begin(); begun.Already || !begun.Fresh {
			t.Errorf("a start a minute later is answered %+v", begun)
		}
	})
	bubble(t, func(t *testing.T, r *rig) {
		p := r.process("d", "one")
		p.begin()
		v, _ := r.desk.Visit(t.Context(), p.begun.Link.Reveal(), true)
		if l, err := r.desk.Decline(t.Context(), p.begun.Link.Reveal(), v.Form.Reveal(), ""); err != nil || l.Phase != consent.Refused {
			t.Fatalf("declining gave %+v, %v", l, err)
		}
		p.ask.Start = ""
		if _, err := r.desk.Begin(t.Context(), p.ask); usererr.CodeOf(err) != usererr.Refused {
			t.Errorf("right after a refusal: %v", err)
		}
		time.Sleep(time.Minute)
		if begun := p.begin(); !begun.Open {
			t.Errorf("a minute after a refusal: %+v", begun)
		}
	})
}

func TestTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "acme", "labs")
		p := r.process("d", "one")
		if begun := p.begin(); begun.Login.Tenant != "" {
			t.Fatalf("the vault chose %s", begun.Login.Tenant)
		}
		v, err := r.desk.Visit(t.Context(), p.begun.Link.Reveal(), true)
		if err != nil {
			t.Fatal(err)
		}
		want := []consent.Tenant{{ID: "acme", Sites: []string{"acme.atlassian.net"}}, {ID: "labs", Sites: []string{"acme.atlassian.net"}}}
		if diff := cmp.Diff(want, v.Tenants); diff != "" {
			t.Errorf("the choice (-want +got):\n%s", diff)
		}
		for _, tenant := range []identity.TenantID{"", "other"} {
			if _, err := r.desk.Continue(t.Context(), p.begun.Link.Reveal(), consent.Click{Form: v.Form.Reveal(), Tenant: tenant}); usererr.CodeOf(err) != usererr.BadInput {
				t.Errorf("choosing %q gave %v", tenant, err)
			}
		}
		on, err := r.desk.Continue(t.Context(), p.begun.Link.Reveal(), consent.Click{Form: v.Form.Reveal(), Tenant: "labs"})
		if err != nil || on.Login.Tenant != "labs" || !strings.Contains(on.URL, "callback%2Flabs") {
			t.Errorf("going on gave %+v, %v", on, err)
		}
	})
}

// TestLimits: a device that begins ever more is stopped, and so is one that
// starts ever more processes.
func TestLimits(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var err error
		n := 0
		for ; err == nil && n < 100; n++ {
			p := r.process("d", "one")
			_, err = r.desk.Begin(t.Context(), p.ask)
		}
		if usererr.CodeOf(err) != usererr.RateLimited || n < 32 {
			t.Errorf("after %d starts: %v", n, err)
		}
	})
}

// FuzzReturn brings made-up callbacks: none may get anywhere or change
// anything.
func FuzzReturn(f *testing.F) {
	f.Add("acme", "state", "code", "", "", true)
	f.Add("acme", "", "", "access_denied", "https://auth.atlassian.com", false)
	r := newRig(f)
	p := r.process("d", "one")
	p.begin()
	cookie, good := r.click(p.begun.Link)
	before := r.store.one(f)
	f.Fuzz(func(t *testing.T, tenant, state, code, problem, issuer string, has bool) {
		to, err := r.desk.Return(t.Context(), consent.Callback{
			Tenant: identity.TenantID(tenant), State: state, Code: code, Error: problem, Issuer: issuer, HasIssuer: has,
			Cookie: func(consent.Login) string { return cookie },
		})
		if state == good {
			t.Skip("a lucky guess")
		}
		if !errors.Is(err, consent.ErrState) || to.Loopback != "" || !to.Link.Empty() {
			t.Errorf("it led to %+v, %v", to, err)
		}
		if diff := cmp.Diff(before, r.store.one(t)); diff != "" {
			t.Errorf("it changed the login:\n%s", diff)
		}
	})
}

// TestACodeIsShownWhereTheBrowserIs: who waits for a code has no browser that
// could come back, whoever else waits on the same computer.
func TestACodeIsShownWhereTheBrowserIs(t *testing.T) {
	for name, test := range map[string]struct {
		command, other bool // connected to this replica
		after          time.Duration
		left           bool
		want           bool
	}{
		"both here":             {true, true, 0, false, true},
		"the other here":        {false, true, 20 * time.Second, false, true},
		"both elsewhere":        {false, false, 20 * time.Second, false, true},
		"it is here, and quiet": {true, true, time.Minute, false, true},
		"it was given up":       {false, true, 0, true, false},
		"and nothing is heard":  {false, true, time.Minute, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.codes = true
				other, command := r.process("d", "other"), r.process("d", "command")
				other.begin()
				command.ask.ByCode, command.ask.Loopback, command.ask.Force = true, "", true
				begun := command.begin()
				time.Sleep(test.after)
				other.begin() // as it does from time to time
				r.live("command", test.command)
				r.live("other", test.other)
				if test.left {
					command.lost(time.Now())
				}
				v, err := r.desk.Visit(t.Context(), begun.Link.Reveal(), true)
				if err != nil || v.ByCode != test.want {
					t.Errorf("a code is shown: %t, %v, want %t", v.ByCode, err, test.want)
				}
			})
		})
	}
}
