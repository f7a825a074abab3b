package shim_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// many calls echo n times, eight at a time, while trouble runs, and checks
// that each call is answered once and rightly.
func many(t *testing.T, c *client, n int, trouble func()) {
	t.Helper()
	stop := make(chan struct{})
	var troubled, sender sync.WaitGroup
	troubled.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rand.IntN(250)) * time.Millisecond):
				trouble()
			}
		}
	})
	slots := make(chan struct{}, 8)
	sender.Go(func() {
		for i := range n {
			slots <- struct{}{}
			c.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"call %d.","size":%d}}}`, i, i, rand.IntN(3)*rand.IntN(20_000))
		}
	})
	answers := map[string]int{}
	c.late = 30 * time.Second
	for range n {
		m := c.next()
		answers[string(m.ID)]++
		if text := m.text(); !strings.HasPrefix(text, "call "+string(m.ID)+".") {
			t.Errorf("answer = %.200s", m.line)
		}
		<-slots
	}
	close(stop)
	troubled.Wait()
	sender.Wait()
	c.quiet(100 * time.Millisecond)
	for id, times := range answers {
		if times != 1 {
			t.Errorf("call %s was answered %d times", id, times)
		}
	}
	if len(answers) != n {
		t.Errorf("%d calls were answered, want %d", len(answers), n)
	}
}

func TestCutsLoseAndDoubleNothing(t *testing.T) {
	v := newVault(t, false)
	c := start(t, v, nil)
	c.initialize("2025-06-18")
	v.with(func() { v.slow = 4 * time.Millisecond })
	many(t, c, 1000, v.cut)
	for i := range 1000 {
		if ran := v.ran[fmt.Sprintf("call %d.", i)]; ran != 1 {
			t.Errorf("call %d ran %d times", i, ran)
		}
	}
	if _, links := v.counts(); links < 4 {
		t.Errorf("only %d links", links)
	}
}

func TestKillsLoseNothing(t *testing.T) {
	v := newVault(t, false)
	c := start(t, v, nil)
	c.initialize("2025-06-18")
	v.with(func() { v.slow = 4 * time.Millisecond })
	troubles := 0
	many(t, c, 300, func() {
		if troubles++; troubles%3 == 0 {
			v.cut()
		} else {
			v.kill()
		}
	})
	if v.saw("initialize") < 2 || len(v.replays) == 0 {
		t.Error("the conversation was never set up again")
	}
}

// TestCutsAtAnyByte cuts the connection after a random number of bytes, in
// both directions.
func TestCutsAtAnyByte(t *testing.T) {
	v := newVault(t, false)
	p := newCutter(t, strings.TrimPrefix(v.url, "http://"))
	c := start(t, v, nil, p.dial)
	c.initialize("2025-06-18")
	many(t, c, 200, func() {})
	if p.cuts() < 5 {
		t.Errorf("only %d cuts", p.cuts())
	}
}

func TestReplayAfterAKill(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.send(`{"jsonrpc":"2.0","id":"lv","method":"logging/setLevel","params":{"level":"info"}}`)
		c.answer(`"lv"`)
		c.send(`{"jsonrpc":"2.0","id":"s1","method":"resources/subscribe","params":{"uri":"a:1"}}`)
		c.answer(`"s1"`)
		c.send(`{"jsonrpc":"2.0","id":"s2","method":"resources/subscribe","params":{"uri":"a:2"}}`)
		c.answer(`"s2"`)
		c.send(`{"jsonrpc":"2.0","id":"s3","method":"resources/unsubscribe","params":{"uri":"a:1"}}`)
		c.answer(`"s3"`)
		c.call("1", "slow", "a")
		c.call("2", "slow", "b")
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`)
		c.echo("3", "done")
		v.with(func() { v.seen = nil })
		v.kill()
		time.Sleep(time.Second)
		want := "initialize notifications/initialized logging/setLevel resources/subscribe tools/call"
		v.with(func() {
			if got := strings.Join(v.seen, " "); got != want {
				t.Errorf("replayed %s, want %s", got, want)
			}
			if len(v.replays) != 1 || v.replays[0] != 5 {
				t.Errorf("replays = %v, want 5 frames once", v.replays)
			}
		})
		s := v.stream()
		s.send(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"late"}]}}`)
		s.send(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"twice"}]}}`)
		s.send(`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"unwanted"}]}}`)
		s.send(`{"jsonrpc":"2.0","id":99,"result":{}}`)
		contains(t, c.answer("1").text(), "late")
		c.quiet(time.Minute)
	})
}

func TestCallsThatWereSentSayThatTheirOutcomeIsUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "slow", "a")
		time.Sleep(30 * time.Second)
		v.with(func() { v.down = true })
		v.kill()
		c.late = 25 * time.Second
		text := c.answer("1").text()
		contains(t, text, "whether it was carried out is not known")
		contains(t, text, "Nothing answers at the vault's address")
		v.with(func() { v.down = false })
		c.quiet(time.Minute)
		if v.saw("tools/call") != 1 {
			t.Errorf("the vault saw %v", v.seen)
		}
	})
}

func TestAnotherVaultMayHaveOtherTools(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("1", "x")
		v.with(func() { v.version = "v2" })
		v.kill()
		for _, want := range []string{"notifications/prompts/list_changed", changed} {
			if m := c.next(); m.Method != want {
				t.Errorf("%s instead of the announcement", m.line)
			}
		}
	})
}

func TestProofIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("1", "x")
		v.frame(wire.Encode(wire.KindNonce, wire.Nonce{Nonce: v.nonces.Issue()}))
		time.Sleep(time.Second)
		v.with(func() {
			if v.proofs != 1 || len(v.hellos) != 1 {
				t.Errorf("%d proofs over %d links", v.proofs, len(v.hellos))
			}
			if h := v.hellos[0]; h.KeyClass != "file" || h.Version != "test" || h.Stream == "" {
				t.Errorf("hello = %+v", h)
			}
		})
	})
}

func TestAcknowledgements(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("1", "x")
		time.Sleep(time.Second)
		s := v.stream()
		unacked := func() (n int) { v.with(func() { n = len(s.tail) }); return n }
		if n := unacked(); n != 0 {
			t.Errorf("%d frames are not acknowledged after a second", n)
		}
		for i := range wire.AckFrames {
			s.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":%d}}`, i))
			c.next()
		}
		synctest.Wait()
		if n := unacked(); n != 0 {
			t.Errorf("%d of %d frames are not acknowledged at once", n, wire.AckFrames)
		}
	})
}

func TestGoodbyes(t *testing.T) {
	for _, test := range []struct {
		bye         wire.Bye
		back        time.Duration // at least, before the shim comes back
		latest      time.Duration
		waitingCall string // what a call that was sent is told; "" for nothing
	}{
		{wire.Bye{Reason: wire.ByeDrain, RetryAfterMillis: 2000}, 2 * time.Second, 4 * time.Second, ""},
		{wire.Bye{Reason: wire.ByeRevoked, Message: "access was taken away."}, 0, time.Second, "The vault ended the session of this device: access was taken away"},
		{wire.Bye{Reason: wire.ByeExpired}, 0, time.Second, ""},
		{wire.Bye{Reason: wire.ByeLimit, RetryAfterMillis: 3000}, 3 * time.Second, 6 * time.Second, ""},
		{wire.Bye{Reason: wire.ByeVersion}, 3 * time.Minute, 10 * time.Minute, "do not fit together"},
	} {
		t.Run(string(test.bye.Reason), func(t *testing.T) {
			bubble(t, func(t *testing.T, v *vault) {
				c := start(t, v, nil)
				c.initialize("2025-06-18")
				c.echo("0", "x")
				c.call("1", "slow", "a")
				time.Sleep(time.Second)
				begun := time.Now()
				v.with(func() { v.streams = map[string]*vstream{} })
				v.frame(wire.Encode(wire.KindBye, test.bye))
				if test.bye.Reason == wire.ByeDrain {
					time.Sleep(10 * time.Millisecond)
				}
				v.cut()
				c.late = 10 * time.Second
				if test.waitingCall != "" {
					contains(t, c.answer("1").text(), test.waitingCall)
				}
				for {
					var links int
					if v.with(func() { links = len(v.hellos) }); links > 1 {
						break
					}
					time.Sleep(10 * time.Millisecond)
					if time.Since(begun) > time.Hour {
						t.Fatal("the shim never came back")
					}
				}
				if d := time.Since(begun); d < test.back || d > test.latest {
					t.Errorf("came back after %v", d)
				}
				c.echo("2", "and goes on")
			})
		})
	}
}

// TestDrain looks at the link on which a vault drains: calls under way are
// answered there, new ones go to the next.
func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "slow", "a")
		time.Sleep(time.Second)
		v.frame(wire.Encode(wire.KindBye, wire.Bye{Reason: wire.ByeDrain, RetryAfterMillis: 1000}))
		time.Sleep(100 * time.Millisecond)
		c.call("2", "echo", "next")
		c.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{}}`)
		time.Sleep(time.Second)
		if _, links := v.counts(); v.saw("tools/call") != 1 || v.saw("notifications/progress") != 1 || links != 1 {
			t.Errorf("over %d links the vault saw %d calls and %d notifications", links, v.saw("tools/call"), v.saw("notifications/progress"))
		}
		v.stream().send(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"finished"}]}}`)
		contains(t, c.answer("1").text(), "finished")
		contains(t, c.answer("2").text(), "next")
		if _, links := v.counts(); links != 2 {
			t.Errorf("%d links", links)
		}
	})
}

func TestAVaultThatIsAwayIsNotPestered(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		time.Sleep(time.Hour)
		if dials, _ := v.counts(); dials < 100 || dials > 600 {
			t.Errorf("%d dials in an hour", dials)
		}
		v.with(func() { v.down, v.dials = false, 0 })
		time.Sleep(30 * time.Second)
		if _, links := v.counts(); links != 1 {
			t.Errorf("%d links after 30 s", links)
		}
		time.Sleep(time.Minute)
		begun := time.Now()
		v.cut()
		synctest.Wait()
		if c.echo("1", "x"); time.Since(begun) > 10*time.Millisecond {
			t.Errorf("a healthy link was only restored after %v", time.Since(begun))
		}
	})
}

func TestAVaultThatRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		retry  string
		want   string
	}{
		"rest":     {http.StatusServiceUnavailable, "20", "says: the vault rests"},
		"limit":    {http.StatusTooManyRequests, "20", "says: the vault rests"},
		"not ours": {http.StatusNotFound, "", "the vault rests"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, v *vault) {
				v.with(func() { v.away, v.retry = test.status, test.retry })
				c := start(t, v, nil)
				c.initialize("2025-06-18")
				c.call("1", "echo", "x")
				c.late = 25 * time.Second
				contains(t, c.answer("1").text(), test.want)
				if dials, _ := v.counts(); test.retry != "" && dials > 2 {
					t.Errorf("%d dials within 22 s, though the vault asked for 20 s of peace", dials)
				}
			})
		})
	}
}

func TestNonsenseFromTheVault(t *testing.T) {
	big := `{"jsonrpc":"2.0","id":1,"result":"` + strings.Repeat("x", wire.MaxMessage) + `"}`
	for name, nonsense := range map[string]func(*wsconn.Conn) error{
		"garbage":            func(c *wsconn.Conn) error { return c.WriteText([]byte("garbage")) },
		"a batch":            func(c *wsconn.Conn) error { return c.WriteText([]byte(`[{"jsonrpc":"2.0","method":"m"}]`)) },
		"a newline in text":  func(c *wsconn.Conn) error { return c.WriteText([]byte("{\"jsonrpc\":\"2.0\",\"method\":\"a\nb\"}")) },
		"id null":            func(c *wsconn.Conn) error { return c.WriteText([]byte(`{"jsonrpc":"2.0","id":null,"error":{}}`)) },
		"a long message":     func(c *wsconn.Conn) error { return c.WriteText([]byte(big)) },
		"an empty frame":     func(c *wsconn.Conn) error { return c.WriteBinary(nil) },
		"a bad ack":          func(c *wsconn.Conn) error { return c.WriteBinary(wire.EncodeAck(1 << 40)) },
		"half an ack":        func(c *wsconn.Conn) error { return c.WriteBinary([]byte{byte(wire.KindAck), 0x80}) },
		"a shim's frame":     func(c *wsconn.Conn) error { return c.WriteBinary(wire.Encode(wire.KindHello, wire.Hello{})) },
		"a broken nonce":     func(c *wsconn.Conn) error { return c.WriteBinary([]byte{byte(wire.KindNonce), '{'}) },
		"an unknown kind":    func(c *wsconn.Conn) error { return c.WriteBinary([]byte{0x7f, 1, 2, 3}) },
		"a frame over limit": func(c *wsconn.Conn) error { return c.WriteBinary(make([]byte, wire.MaxControl+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t, false)
			c := start(t, v, nil)
			c.initialize("2025-06-18")
			c.echo("0", "x")
			for _, conn := range v.links() {
				_ = nonsense(conn) // the shim may have closed it already
			}
			c.echo("2", "goes on")
			c.quiet(50 * time.Millisecond)
		})
	}
}

func TestAnAnswerThatIsNone(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "slow", "x")
		c.call("2", "slow", "x")
		time.Sleep(time.Second)
		s := v.stream()
		s.send(`{"jsonrpc":"2.0","id":1,"result":tru}`)
		contains(t, c.answer("1").text(), "cannot be read")
		s.send("{\n\"jsonrpc\":\"2.0\",\r\n\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"two\\nlines\"}]}}\n")
		if got := c.answer("2").text(); got != "two\nlines" {
			t.Errorf("answer = %q", got)
		}
	})
}

// TestAnAnswerOverTheLimit is about a vault that sends the same long frame
// again and again: the call fails, and nothing goes on for ever.
func TestAnAnswerOverTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		big := strings.Repeat("x", wire.MaxMessage)
		v.with(func() {
			v.onText = func(s *vstream, data []byte) bool {
				if strings.Contains(string(data), `"too big"`) {
					s.send(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + big + `"}]}}`)
					return true
				}
				return false
			}
		})
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "echo", "too big")
		c.late = time.Minute
		contains(t, c.answer("1").text(), "something that makes no sense")
		c.echo("2", "goes on")
		_, before := v.counts()
		time.Sleep(10 * time.Minute)
		if _, links := v.counts(); links != before {
			t.Errorf("the link does not hold: %d more", links-before)
		}
	})
}

func TestAVaultThatCountsWrong(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("1", "x")
		lies := 3
		v.with(func() {
			v.onHello = func(conn *wsconn.Conn) bool {
				v.mu.Lock()
				defer v.mu.Unlock()
				if lies--; lies < 0 {
					return false
				}
				_ = conn.WriteBinary(wire.Encode(wire.KindResume, wire.Resume{Resumed: true, Received: 1 << 50}))
				return true
			}
		})
		v.cut()
		c.late = time.Minute
		c.echo("2", "goes on")
		v.with(func() {
			if h := v.hellos[len(v.hellos)-1]; h.Received != 1<<64-1 {
				t.Errorf("last hello = %+v", h)
			}
		})
	})
}

func TestAVaultThatSaysNothing(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("1", "x")
		v.with(func() {
			v.onHello = func(*wsconn.Conn) bool { time.Sleep(time.Minute); return true }
		})
		v.cut()
		c.call("2", "echo", "x")
		c.late = 30 * time.Second
		contains(t, c.answer("2").text(), "error: ")
		if _, links := v.counts(); links < 2 {
			t.Errorf("%d links", links)
		}
	})
}

// TestAHalfOpenLink is a link whose far end vanished without a word.
func TestAHalfOpenLink(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		h := &hole{dialer: v.dial}
		c := start(t, v, nil, h.dial)
		c.initialize("2025-06-18")
		c.echo("1", "x")
		time.Sleep(10 * time.Minute)
		if _, links := v.counts(); links != 1 {
			t.Errorf("%d links on a good network", links)
		}
		h.open.Load().gone.Store(true)
		v.cut()
		c.call("2", "echo", "y")
		c.late = 45 * time.Second
		contains(t, c.answer("2").text(), "y")
	})
}
