package e2e_test

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestHowClientsEndAShim ends shims as clients do, with a call under way: the
// process is gone within two seconds.
func TestHowClientsEndAShim(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	l := signedInLaptop(t, w)
	for _, test := range []struct {
		name string
		end  func(c *rawClient) error
	}{
		{"the input ends", func(c *rawClient) error { return c.in.Close() }},
		{"SIGTERM", func(c *rawClient) error { return c.cmd.Process.Signal(syscall.SIGTERM) }},
		{"SIGINT", func(c *rawClient) error { return c.cmd.Process.Signal(syscall.SIGINT) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.Sim.Heal()
			c := startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
			c.initialize("2025-06-18")
			if _, failed, err := c.tool("1", "confluence_list_spaces", nil); err != nil || failed {
				t.Fatal("the first call failed", err)
			}
			w.Sim.Fail(1, atlassiansim.Fault{Delay: 8 * time.Second})
			c.send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"confluence_list_spaces","arguments":{}}}`)
			time.Sleep(300 * time.Millisecond)
			began := time.Now()
			if err := test.end(c); err != nil {
				t.Fatal(err)
			}
			c.gone(began)
			if err := c.wait(); err != nil {
				t.Errorf("coatcheck: %v", err)
			}
		})
	}
	t.Run("the client is killed", func(t *testing.T) {
		w.Sim.Heal()
		shim := l.Shim(context.WithoutCancel(t.Context()))
		// Somebody else keeps the input open, as children of a client do.
		client := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", `exec 3<&0; "$0" "$@" <&3 & wait`}, shim.Args...)...)
		client.Dir, client.Env = shim.Dir, shim.Env
		c := startRaw(t, client)
		c.initialize("2025-06-18")
		if _, failed, err := c.tool("1", "confluence_list_spaces", nil); err != nil || failed {
			t.Fatal("the first call failed", err)
		}
		began := time.Now()
		if err := client.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.gone(began) // its stdout ends with the last process that has it
	})
	t.Run("a broken pipe", func(t *testing.T) {
		cmd := l.Shim(context.WithoutCancel(t.Context()))
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = out.Close()
		_, _ = io.WriteString(in, strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}`+"\n", 2))
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(exitPatience):
			_ = cmd.Process.Kill()
			t.Error("it lives on although nobody reads its output")
		}
		_ = in.Close()
	})
}

// exitPatience is the promised 2 s and some for a busy machine.
const exitPatience = 4 * time.Second

// gone waits for the end of the shim's output.
func (c *rawClient) gone(began time.Time) {
	c.t.Helper()
	select {
	case <-c.done:
		c.t.Logf("gone after %v", time.Since(began))
	case <-time.After(exitPatience):
		c.t.Errorf("still alive after %v", time.Since(began))
		_ = c.cmd.Process.Kill()
	}
}
