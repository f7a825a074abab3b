package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// patience is how long a contender may take for one measurement.
const patience = 90 * time.Second

const (
	hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},` +
		`"clientInfo":{"name":"bench","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// talker is a client's end of one contender. It does as little as it can, so
// that what is measured is the other side.
type talker struct {
	name string
	pid  int
	tool string // "" for echo
	bare bool   // speaks no JSON-RPC: a number is a request

	write func([]byte) error
	read  func() ([]byte, error) // valid until the next
	kill  func()
	end   func()
	next  int
	last  *lastWords // nil for the bare websocket
}

// lastWords keeps the end of what a contender says on standard error.
type lastWords struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

// Write implements io.Writer.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-600):]
	return len(p), nil
}

// String tells them, if there are any.
func (l *lastWords) String() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

var errNothing = errors.New("no answer")

// spawnTalker starts a program that speaks MCP on its pipes and returns once it
// has answered initialize.
func spawnTalker(ctx context.Context, name string, cmd *exec.Cmd) (*talker, time.Duration, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	last := new(lastWords)
	cmd.Stderr, cmd.WaitDelay = last, time.Second
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("starting %s: %w", name, err)
	}
	lines := bufio.NewReaderSize(stdout, 1<<20)
	t := &talker{
		name: name, pid: cmd.Process.Pid, last: last,
		write: func(message []byte) error { _, err := stdin.Write(append(message, '\n')); return err },
		read:  func() ([]byte, error) { return lines.ReadSlice('\n') },
		kill:  func() { _ = cmd.Process.Kill() },
	}
	t.end = func() { finish(cmd, stdin) }
	if _, err = t.ask([]byte(hello)); err != nil {
		t.end()
		return nil, 0, err
	}
	took := time.Since(began)
	if err := ctx.Err(); err != nil {
		t.end()
		return nil, 0, err
	}
	return t, took, t.write([]byte(initialized))
}

// finish ends a program the way clients do, and then the hard way.
func finish(cmd *exec.Cmd, stdin io.Closer) {
	_ = stdin.Close()
	late := time.AfterFunc(2*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait() // how it ended is of no interest
}

// dialTalker connects to the bare websocket.
func dialTalker(ctx context.Context, url string) (*talker, error) {
	conn, answer, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(url, "http"), nil)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	return &talker{
		name: socket, bare: true,
		write: func(message []byte) error { return conn.WriteMessage(websocket.TextMessage, message) },
		read:  func() ([]byte, error) { _, message, err := conn.ReadMessage(); return message, err },
		kill:  func() { _ = conn.Close() },
		end:   func() { _ = conn.Close() },
	}, nil
}

// guarded does something of bounded time with the contender.
func (t *talker) guarded(do func() error) error {
	late := time.AfterFunc(patience, t.kill)
	defer late.Stop()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w\n%s", t.name, err, t.last)
	}
	return nil
}

// ask sends a request and returns the answer.
func (t *talker) ask(request []byte) (line []byte, err error) {
	err = t.guarded(func() error {
		if err := t.write(request); err != nil {
			return err
		}
		line, err = t.answer()
		return err
	})
	return line, err
}

// answer returns the next answer, and passes over whatever else is said.
func (t *talker) answer() ([]byte, error) {
	for {
		line, err := t.read()
		if err != nil {
			return nil, errors.Join(errNothing, err)
		}
		if t.bare {
			return line, nil
		}
		head, tail := line[:min(len(line), 100)], line[max(0, len(line)-100):]
		switch {
		case bytes.Contains(head, []byte(`"method":`)) || !bytes.HasPrefix(line, []byte("{")):
			continue
		case bytes.Contains(line, []byte(`"isError":true`)), bytes.Contains(head, []byte(`"error":{`)), bytes.Contains(tail, []byte(`"error":{`)):
			return nil, fmt.Errorf("refused: %.300s", line)
		}
		return line, nil
	}
}

// request is a call for an answer of size bytes.
func (t *talker) request(size int) []byte {
	if t.bare {
		return strconv.AppendInt(nil, int64(size), 10)
	}
	t.next++
	tool, arguments := t.tool, "{}"
	if tool == "" {
		tool, arguments = "echo", `{"size":`+strconv.Itoa(size)+`}`
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, t.next, tool, arguments)
}

// trip measures one call with nothing else under way.
func (t *talker) trip(size int) (time.Duration, error) {
	request := t.request(size)
	began := time.Now()
	line, err := t.ask(request)
	if err == nil && t.tool == "" && len(line) < size {
		err = fmt.Errorf("%s answered %d bytes, not %d", t.name, len(line), size)
	}
	return time.Since(began), err
}

// flood measures calls per second with window of them under way.
func (t *talker) flood(window, calls, size int) (perSecond float64, err error) {
	err = t.guarded(func() error {
		began := time.Now()
		sent := 0
		for ; sent < min(window, calls); sent++ {
			if err := t.write(t.request(size)); err != nil {
				return err
			}
		}
		for range calls {
			if _, err := t.answer(); err != nil {
				return err
			}
			if sent < calls {
				sent++
				if err := t.write(t.request(size)); err != nil {
					return err
				}
			}
		}
		perSecond = float64(calls) / time.Since(began).Seconds()
		return nil
	})
	return perSecond, err
}
