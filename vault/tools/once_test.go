package tools_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// write is a call that changes something, and how to see that it was made
// once.
type write struct {
	tool      string
	arguments func(r *rig) object
	check     func(r *rig) error
}

func writes() map[string]write {
	return map[string]write{
		"update": {
			"confluence_update_page",
			func(r *rig) object {
				return object{"page": r.put("ada", "ENG", "Plan", "<p>first</p>"), "expected_version": 1, "body": "second", "message": "why"}
			},
			func(r *rig) error {
				if page, _ := r.sim.PageByTitle("ENG", "Plan"); page.Version != 2 || page.Body != "<p>second</p>" {
					return fmt.Errorf("the page is at version %d: %s", page.Version, page.Body)
				}
				return nil
			},
		},
		"create": {
			"confluence_create_page",
			func(*rig) object { return object{"space": "ENG", "title": "Fresh", "body": "text"} },
			func(r *rig) error {
				if n := r.sim.CountPages("ENG", "Fresh"); n != 1 {
					return fmt.Errorf("%d pages", n)
				}
				return nil
			},
		},
	}
}

// again sends a call anew to a vault that has just started, as a shim does.
func (r *rig) again(call string, w write, arguments object) answer {
	r.t.Helper()
	r.start()
	r.caller.Replayed = true
	c := r.connect()
	_, _ = fmt.Sscan(call, &c.next)
	c.next--
	defer func() { r.caller.Replayed = false }()
	return c.call(w.tool, arguments)
}

// killAt makes a hook that kills at the nth point, and counts the points.
func killAt(n int, points *[]string) func(string) {
	var mu sync.Mutex // a call may do two things at once
	return func(point string) {
		mu.Lock()
		defer mu.Unlock()
		*points = append(*points, point)
		if len(*points)-1 == n {
			panic(errKilled)
		}
	}
}

// killed calls, is killed at the nth point and returns the id of the call.
func (r *rig) killed(w write, arguments object, n int) (call string, points []string) {
	r.t.Helper()
	c := r.connect()
	// What is read while the write is noted comes later here, so that the points
	// have an order; to be killed in between is to be killed before it is noted.
	r.hook, r.noted = killAt(n, &points), make(chan struct{})
	c.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, w.tool, encode(r.t, arguments)))
	r.hook, r.noted = nil, nil
	return fmt.Sprint(c.next), points
}

// The vault is killed at every point of a write, and the call is sent again
// to the one that takes its place: the page is written once, and the answer
// says so. Then that one is killed at every point too.
func TestKilledAnywhereWritesOnce(t *testing.T) {
	for name, w := range writes() {
		t.Run(name, func(t *testing.T) {
			killedAnywhere(t, w, atlassiansim.Options{}, func(t *testing.T, r *rig, a answer, points []string) { check(t, r, w, a, points) })
		})
	}
}

// killedAnywhere makes a write once for each point that it passes: there the vault
// is killed, another one gets the call again, and what came of it is looked at.
func killedAnywhere(t *testing.T, w write, opt atlassiansim.Options, after func(t *testing.T, r *rig, a answer, points []string)) {
	t.Helper()
	for i, last := 0, false; !last; i++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, opt)
			arguments := w.arguments(r)
			call, points := r.killed(w, arguments, i)
			last = len(points) <= i
			after(t, r, r.again(call, w, arguments), points)
		})
	}
}

// atMostOnce is for what cannot be found again for certain: it was done once, or
// perhaps, and then that is said.
func atMostOnce(t *testing.T, what string, n int, a answer, points []string) {
	t.Helper()
	if n > 1 || !a.IsError && n != 1 || a.IsError && !strings.Contains(a.text(), "not known") {
		t.Errorf("after %s: %d %s\n%s", strings.Join(points, ", "), n, what, a.text())
	}
}

// A third of all pairs of points, spread evenly.
func TestKilledTwiceWritesOnce(t *testing.T) {
	for name, w := range writes() {
		t.Run(name, func(t *testing.T) {
			for i, lastOne := 0, false; !lastOne; i++ {
				for j, lastTwo := i%3, false; !lastTwo; j += 3 {
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, atlassiansim.Options{NoJournal: true})
						arguments := w.arguments(r)
						call, points := r.killed(w, arguments, i)
						lastOne = len(points) <= i
						var more []string
						r.hook = killAt(j, &more)
						r.start()
						r.caller.Replayed = true
						c := r.connect()
						_, _ = fmt.Sscan(call, &c.next)
						c.next--
						c.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, w.tool, encode(t, arguments)))
						r.hook = nil
						lastTwo = len(more) <= j
						check(t, r, w, r.again(call, w, arguments), slices.Concat(points, []string{"AGAIN"}, more))
					})
				}
			}
		})
	}
}

func check(t *testing.T, r *rig, w write, a answer, points []string) {
	t.Helper()
	if err := w.check(r); err != nil || a.IsError {
		t.Errorf("after %s:\n%v\n%s", strings.Join(points, ", "), err, a.text())
	}
	if n := len(r.audited); n == 0 || r.audited[n-1].Outcome != "ok" || len(r.audited[n-1].Objects) == 0 {
		t.Errorf("after %s: the audit log has %+v", strings.Join(points, ", "), r.audited)
	}
}

// The old vault is not dead but stuck, at every point of a write: it goes on
// when another vault has settled the call and answered it.
func TestStuckAnywhereWritesOnce(t *testing.T) {
	for name, w := range writes() {
		t.Run(name, func(t *testing.T) {
			for i, last := 0, false; !last; i++ {
				synctest.Test(t, func(t *testing.T) { last = stuck(t, w, i) })
			}
		})
	}
}

func stuck(t *testing.T, w write, n int) (last bool) {
	r := newRig(t, atlassiansim.Options{})
	arguments := w.arguments(r)
	old := r.connect()
	free := make(chan struct{})
	var count atomic.Int64
	var points []string
	r.hook = func(point string) {
		if int(count.Add(1))-1 == n {
			points = append(points, point)
			<-free
		}
	}
	ended := make(chan answer, 1)
	go func() { ended <- old.call(w.tool, arguments) }()
	synctest.Wait()
	last = int(count.Load()) <= n
	r.hook = nil
	first := r.again(fmt.Sprint(old.next), w, arguments)
	check(t, r, w, first, points)
	close(free)
	<-ended
	third := r.again(fmt.Sprint(old.next), w, arguments)
	check(t, r, w, third, append(points, "freed"))
	if first.field("id") != third.field("id") || first.field("version") != third.field("version") {
		t.Errorf("after %v: answered %s, then %s", points, first.Structured, third.Structured)
	}
	return last
}

// Sent again after the answer, and after a sign-in of the same person.
func TestTheStoredResultIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		w := writes()["update"]
		arguments := w.arguments(r)
		c := r.connect()
		first := c.call(w.tool, arguments)
		before := r.sent("PUT")
		time.Sleep(time.Minute)
		second := r.again(fmt.Sprint(c.next), w, arguments)
		if string(first.Structured) != string(second.Structured) || first.text() != second.text() || r.sent("PUT") != before {
			t.Errorf("first\n%s\nthen\n%s", first.text(), second.text())
		}
		if e := r.audited[len(r.audited)-1]; !strings.Contains(e.Detail, "sent again") || len(e.Objects) == 0 {
			t.Errorf("audited %+v", e)
		}

		// Policy has changed: what was written is not told any more.
		r.deny("ENG")
		if a := r.again(fmt.Sprint(c.next), w, arguments); !a.IsError || strings.Contains(a.text(), "Plan") {
			t.Errorf("%s", a.text())
		}
		r.deny()

		// Another person on the same device, or other arguments.
		r.caller = signedIn("p_ben")
		if a := r.again(fmt.Sprint(c.next), w, arguments); !a.IsError || !strings.Contains(a.text(), "another sign-in") {
			t.Errorf("%s", a.text())
		}
		r.caller = signedIn("p_ada")
		arguments["body"] = "something else"
		if a := r.again(fmt.Sprint(c.next), w, arguments); !a.IsError || !strings.Contains(a.text(), "other arguments") {
			t.Errorf("%s", a.text())
		}
	})
}

// An id that is used again for a new call is a new call.
func TestAnIdMayComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		w := writes()["update"]
		arguments := w.arguments(r)
		c := r.connect()
		c.call(w.tool, arguments)
		for _, body := range []string{"second", "third"} {
			c.next--
			time.Sleep(time.Second)
			arguments["body"] = body
			if a := c.call(w.tool, arguments); !a.IsError || !strings.Contains(a.text(), "at version 2, not 1") {
				t.Errorf("%s", a.text())
			}
		}
		c.next--
		time.Sleep(time.Second)
		arguments["expected_version"] = 2
		if a := c.call(w.tool, arguments); a.IsError || a.field("version") != "3" {
			t.Errorf("%s", a.text())
		}
	})
}

// What cannot be known is said, with the way to check.
func TestUnknownIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		w := writes()["update"]
		arguments := w.arguments(r)
		r.sim.Fail(1, atlassiansim.Fault{Method: "PUT", After: true, Drop: true})
		r.sim.Fail(1, atlassiansim.Fault{Method: "GET", Path: "/spaces/"}) // the first look is free
		r.hook = func(point string) {
			if point == "answered PUT" || point == "ask PUT" {
				r.sim.Fail(9, atlassiansim.Fault{Method: "GET", Path: "/pages/", Status: 503})
			}
		}
		a := r.connect().call(w.tool, arguments)
		if !a.IsError || !strings.Contains(a.text(), "It is not known whether the change was made") || !strings.Contains(a.text(), "if it is at version 2") {
			t.Errorf("%s", a.text())
		}
		r.hook = nil
		r.sim.Heal()
		// Sent again, it is found out.
		if a := r.again("2", w, arguments); a.IsError || a.field("version") != "2" {
			t.Errorf("%s", a.text())
		}
		if err := w.check(r); err != nil {
			t.Error(err)
		}
	})
}

// killedAtTheStart begins a call that ends before anything is sent, and sends it
// again.
func (r *rig) killedAtTheStart(w write, arguments object) answer {
	r.t.Helper()
	c := r.connect()
	r.hook = func(point string) {
		if point == "journal started" {
			panic(errKilled)
		}
	}
	c.ask("tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, w.tool, encode(r.t, arguments)))
	r.hook = nil
	return r.again(fmt.Sprint(c.next), w, arguments)
}

// A page of the title that somebody else created, or that we created with
// another text, is not taken for ours. One that we created with this text, but
// too early, may be, since clocks differ.
func TestSettlingKnowsItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		person, body string
		ago          time.Duration
		want         string
	}{
		"ours":            {"ada", "<p>text</p>", 0, ""},
		"somebody else's": {"ben", "<p>text</p>", 0, "has a page of this title already"},
		"early":           {"ada", "<p>text</p>", time.Hour, "not known"},
		"another text":    {"ada", "<p>other</p>", 0, "not known"},
		"an old one":      {"ada", "<p>other</p>", time.Hour, "has a page of this title already"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, atlassiansim.Options{})
				w := writes()["create"]
				r.put(test.person, "ENG", "Fresh", test.body)
				time.Sleep(test.ago)
				a := r.killedAtTheStart(w, w.arguments(r))
				if a.IsError != (test.want != "") || !strings.Contains(a.text(), test.want) {
					t.Errorf("%s", a.text())
				}
				if err := w.check(r); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Nor is it said that nothing was written where perhaps it was.
func TestAnUpdateThatLooksTooOld(t *testing.T) {
	for body, want := range map[string]string{"second": "not known", "third": "at version 2, not 1; nothing was written"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, atlassiansim.Options{})
			w := writes()["update"]
			arguments := w.arguments(r)
			r.connect().call(w.tool, arguments)
			time.Sleep(time.Hour)
			arguments["body"] = body
			if a := r.killedAtTheStart(w, arguments); !a.IsError || !strings.Contains(a.text(), want) {
				t.Errorf("%s: %s", body, a.text())
			}
			if err := w.check(r); err != nil {
				t.Error(err)
			}
		})
	}
}

// The sign-in ends while a write is under way: after the new sign-in the write
// is looked up, not made again.
func TestSignInInTheMiddleOfAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		w := writes()["update"]
		arguments := w.arguments(r)
		c := r.connect()
		r.sim.Fail(1, atlassiansim.Fault{Method: "PUT", After: true, Drop: true})
		r.hook = func(point string) {
			if point == "ask PUT" {
				time.Sleep(time.Second)
				r.grantErr = gone()
				r.sim.Fail(1, atlassiansim.Fault{Method: "GET", Path: "/pages/", Status: 401})
			}
		}
		a := c.call(w.tool, arguments)
		if err := w.check(r); err != nil || a.IsError || r.awaits != 1 || r.sent("PUT") != 1 {
			t.Errorf("%v after %d sign-ins and %d writes: %s", err, r.awaits, r.sent("PUT"), a.text())
		}
	})
}

// A guest has begun nothing: an old id does not bring back an old result.
func TestAGuestsCallIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		w := writes()["create"]
		arguments := w.arguments(r)
		c := r.connect()
		c.call(w.tool, arguments)
		time.Sleep(time.Second)
		r.caller.Session, r.caller.Person, r.caller.Tenant = "", "", ""
		c.next--
		if a := c.call(w.tool, arguments); !a.IsError || !strings.Contains(a.text(), "already") || r.awaits != 1 {
			t.Errorf("after %d sign-ins: %s", r.awaits, a.text())
		}
	})
}
