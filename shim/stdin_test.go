package shim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim"
)

func TestBadInput(t *testing.T) {
	v := newVault(t, false)
	c := start(t, v, nil)
	c.initialize("2025-06-18")
	for _, test := range []struct{ name, line, id, want string }{
		{"garbage", `Content-Length: 12`, "null", "-32700"},
		{"half a message", `{"jsonrpc":"2.0","id":5,"method":"tools/call","para`, "5", "-32700"},
		{"not UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"m\",\"params\":{\"a\":\"\xc3\x28\"}}", "6", "-32700"},
		{"deep", `{"jsonrpc":"2.0","id":7,"method":"m","params":` + strings.Repeat("[", 20_000), "7", "-32700"},
		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, "null", "-32600"},
		{"an empty batch", `[]`, "null", "-32600"},
		{"two ids", `{"jsonrpc":"2.0","id":8,"id":9,"method":"m"}`, "null", "-32600"},
		{"no version", `{"id":8,"method":"m"}`, "8", "-32600"},
		{"a fraction as id", `{"jsonrpc":"2.0","id":1.5,"method":"m"}`, "null", "-32600"},
		{"no params in initialize", `{"jsonrpc":"2.0","id":9,"method":"initialize"}`, "9", "-32602"},
		{"10 MiB", `{"jsonrpc":"2.0","method":"tools/call","params":{"x":"` + strings.Repeat("x", 10<<20) + `"},"id":"long"}`, `"long"`, "the limit is 8 MiB"},
		{"10 MiB of garbage", strings.Repeat("garbage ", 10<<17), "null", "the limit is 8 MiB"},
	} {
		c.send("%s", test.line)
		m := c.answer(test.id)
		if m.Error == nil {
			t.Errorf("%s: answered %s", test.name, m.line)
			continue
		}
		if !strings.Contains(m.line, test.want) {
			t.Errorf("%s: %s", test.name, m.line)
		}
	}
	for _, silent := range []string{"", "\r", "   ", `{"jsonrpc":"2.0","id":77,"result":{}}`, `{"jsonrpc":"2.0","method":"notifications/x"}`,
		`{"jsonrpc":"2.0","method":"m","params":"` + strings.Repeat("x", 9<<20) + `"}`} {
		c.send("%s", silent)
	}
	c.send("\xef\xbb\xbf%s\r", `{"jsonrpc":"2.0","id":10,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ok"}}}`)
	contains(t, c.answer("10").text(), "ok")
	c.quiet(50 * time.Millisecond)
	if v.saw("m") != 0 {
		t.Errorf("the vault saw %v", v.seen)
	}
}

func TestAnIdInUseIsNotAnsweredTwice(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "slow", "x")
		time.Sleep(time.Second)
		c.call("1", "echo", "y")
		c.answer("null")
		c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","para`)
		c.answer("null")
		v.stream().send(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"the first"}]}}`)
		contains(t, c.answer("1").text(), "the first")
		c.echo("1", "again") // an id is free once it was answered
	})
}

func TestBatchesOfTheOneRevisionThatHasThem(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-03-26")
		c.send(`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}},` +
			`{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]`)
		line := <-c.lines
		if !strings.HasPrefix(line, "[{") || !strings.Contains(line, `"id":1`) || !strings.Contains(line, `"id":2`) || strings.Contains(line, "\n") {
			t.Errorf("answer = %s", line)
		}
		c.send(`[{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"slow"}},{"jsonrpc":"2.0","id":4,"method":"tools/list"}]`)
		time.Sleep(time.Second)
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
		contains(t, <-c.lines, `[{"jsonrpc":"2.0","id":4`)
		c.send(`[]`)
		c.answer("null")
		c.send(`[{"jsonrpc":"2.0","id":5,"method":"initialize"}, 7]`)
		c.answer("5")
		c.answer("null")
		c.quiet(time.Second)
	})
}

func TestTheVaultsQuestionsAndTheirAnswersPass(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		got := make(chan string, 2)
		v.with(func() {
			v.onText = func(_ *vstream, data []byte) bool {
				if strings.Contains(string(data), `"vE.1"`) {
					got <- string(data)
				}
				return false
			}
		})
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("0", "x")
		question := `{ "jsonrpc":"2.0","id":"vE.1",  "method":"roots/list","x-unknown":[1.0, 1e2] }`
		v.stream().send(question)
		if line := <-c.lines; line != question {
			t.Errorf("question = %s", line)
		}
		answer := `{"x-unknown" : 9007199254740993,"jsonrpc":"2.0","id":"vE.1","result":{"roots":[]}}`
		c.send("%s", answer)
		if text := <-got; text != answer {
			t.Errorf("answer = %s", text)
		}
		// One that is too long is answered for the client, or the vault would wait.
		c.send(`{"jsonrpc":"2.0","id":"vE.1","result":"%s"}`, strings.Repeat("x", wire.MaxMessage))
		contains(t, <-got, `"code":-32010`)
	})
}

func TestTheEndOfInput(t *testing.T) {
	for name, test := range map[string]struct {
		before func(v *vault, c *client)
		least  time.Duration // that Run takes
		most   time.Duration
		want   string // on the last line
	}{
		"nothing under way": {func(_ *vault, c *client) { c.echo("1", "x") }, 0, 100 * time.Millisecond, ""},
		"nothing at all":    {func(*vault, *client) {}, 0, 100 * time.Millisecond, ""},
		"a call that takes a second": {func(v *vault, c *client) {
			v.with(func() { v.slow = time.Second })
			c.call("1", "echo", "in time")
		}, 900 * time.Millisecond, 1200 * time.Millisecond, "in time"},
		"a call that takes for ever": {func(_ *vault, c *client) { c.call("1", "slow", "x") }, time.Second, 2 * time.Second, "ended its input"},
		"a call without a vault": {func(v *vault, c *client) {
			c.echo("0", "x") // the link is there, and can be taken away
			v.with(func() { v.down = true })
			v.kill()
			c.call("1", "echo", "x")
		}, time.Second, 2 * time.Second, "ended its input meanwhile"},
		"a cancelled call": {func(_ *vault, c *client) {
			c.call("1", "slow", "x")
			c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		}, 0, 100 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, v *vault) {
				c := start(t, v, nil)
				c.initialize("2025-06-18")
				test.before(v, c)
				begun := time.Now()
				if err := c.end(2 * time.Second); err != nil {
					t.Errorf("Run = %v", err)
				}
				if d := time.Since(begun); d < test.least || d > test.most {
					t.Errorf("ended after %v", d)
				}
				if test.want != "" {
					contains(t, c.next().line, test.want)
				}
			})
		})
	}
}

func TestTheLastLineNeedsNoNewline(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		_, _ = fmt.Fprint(c.in, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"last"}}}`)
		if err := c.end(2 * time.Second); err != nil {
			t.Errorf("Run = %v", err)
		}
		contains(t, c.answer("1").text(), "last")
	})
}

func TestAClientThatTakesNoMoreOutput(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		_ = c.out.Close()
		c.call("1", "echo", "x")
		if err := c.gone(time.Second); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestTheContextEnds(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "slow", "x")
		c.stop()
		if err := c.gone(time.Second); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// never is a pipe on which nothing ever goes on.
type never struct{}

func (never) Read([]byte) (int, error)  { select {} }
func (never) Write([]byte) (int, error) { select {} }

// TestPipesThatBlockForEver is not in a bubble: it leaves goroutines behind.
func TestPipesThatBlockForEver(t *testing.T) {
	v := newVault(t, false)
	c := start(t, v, nil)
	_ = c.end(time.Second)
	for name, input := range map[string]io.Reader{
		"input ends": strings.NewReader(initializeLine("1", "2025-06-18") + "\n" + listLine + "\n"),
		"ctx ends":   io.MultiReader(strings.NewReader(initializeLine("1", "2025-06-18")+"\n"), never{}),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			err := shim.Run(ctx, shim.Config{Stdin: input, Stdout: never{}})
			if d := time.Since(begun); err != nil || d > 2*time.Second+500*time.Millisecond {
				t.Errorf("Run = %v after %v", err, d)
			}
		})
	}
}

// TestAClientThatDoesNotRead looks at how much is kept for it.
func TestAClientThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		blocked, taken := io.Pipe()
		c := start(t, v, func(cfg *shim.Config) { cfg.Stdout = taken })
		c.send("%s", initializeLine("1", "2025-06-18"))
		time.Sleep(time.Second)
		s := v.stream()
		flood := `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"` + strings.Repeat("x", 64<<10) + `"}}`
		v.closed.Go(func() {
			for range 4000 { // 250 MiB
				s.send(flood)
			}
		})
		time.Sleep(5 * time.Minute)
		unsent := 0
		v.with(func() { unsent = len(s.tail) })
		if unsent < 3900 {
			t.Errorf("the shim took %d frames of 64 KiB for a client that does not read", 4000-unsent)
		}
		begun := time.Now()
		if err := c.end(2 * time.Second); err != nil {
			t.Errorf("Run = %v", err)
		}
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("ended after %v", d)
		}
		_ = blocked.Close()
	})
}

// TestAVaultThatTakesNothing fills the shim with large calls.
func TestAVaultThatTakesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		for i := range 4 {
			c.send(`{"jsonrpc":"2.0","id":%d,"method":"big","params":{"x":"%s"}}`, i, strings.Repeat("x", 7<<20))
		}
		c.late = 30 * time.Second
		m := c.next()
		if m.Error == nil || m.Error.Code != -32010 || string(m.ID) != "3" {
			t.Errorf("%.300s instead of a refusal", m.line)
		}
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}`)
		c.call("4", "echo", "small")
		v.with(func() { v.down = false })
		got := map[string]bool{}
		for range 3 {
			got[string(c.next().ID)] = true
		}
		if !got["1"] || !got["2"] || !got["4"] {
			t.Errorf("answered: %v", got)
		}
		c.quiet(time.Minute)
	})
}
