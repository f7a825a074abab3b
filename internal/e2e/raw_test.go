package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawClient speaks JSON lines with a shim and counts what comes back, so that
// a second answer or a stray line is noticed.
type rawClient struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when stdout ended
	wait func() error  // waits for the end of the process, all that it said included

	mu      sync.Mutex
	answers map[string][]message     // guarded by mu; by id
	waiting map[string]chan struct{} // guarded by mu
	other   []message                // guarded by mu; what has no id or is a request
	stray   []string                 // guarded by mu; lines that are not JSON-RPC
	lines   []string                 // guarded by mu; all of them
}

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// toolText returns the text of a tool's answer and whether it is an error.
func (m message) toolText() (string, bool) {
	if m.Error != nil {
		return m.Error.Message, true
	}
	var result struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		IsError bool `json:"isError"`
	}
	if err := json.Unmarshal(m.Result, &result); err != nil || len(result.Content) == 0 {
		return string(m.Result), true
	}
	return result.Content[0].Text, result.IsError
}

func startRaw(t *testing.T, cmd *exec.Cmd) *rawClient {
	t.Helper()
	c := &rawClient{t: t, cmd: cmd, done: make(chan struct{}), answers: map[string][]message{}, waiting: map[string]chan struct{}{}}
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &bytes.Buffer{}
	if cmd.Stderr == nil {
		cmd.Stderr = said
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.wait = sync.OnceValue(func() error { <-c.done; return cmd.Wait() })
	go c.read(out)
	t.Cleanup(func() {
		_ = c.in.Close()
		_ = cmd.Process.Kill()
		_ = c.wait()
		if text := said.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic: ") {
			t.Errorf("the shim raced or panicked: %s", text)
		}
	})
	return c
}

func (c *rawClient) read(out io.Reader) {
	defer close(c.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m message
		c.mu.Lock()
		c.lines = append(c.lines, lines.Text())
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			c.stray = append(c.stray, lines.Text())
		} else if id := string(m.ID); m.Method == "" && id != "" {
			c.answers[id] = append(c.answers[id], m)
			if wake := c.waiting[id]; wake != nil {
				close(wake)
				delete(c.waiting, id)
			}
		} else {
			c.other = append(c.other, m)
		}
		c.mu.Unlock()
	}
}

func (c *rawClient) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Errorf("writing to the shim: %v", err)
	}
}

// ask sends a request and waits for its first answer.
func (c *rawClient) ask(id, method, params string, patience time.Duration) (message, error) {
	wake := make(chan struct{})
	c.mu.Lock()
	c.waiting[id] = wake
	c.mu.Unlock()
	if _, err := fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`+"\n", id, method, params); err != nil {
		return message{}, err
	}
	select {
	case <-wake:
	case <-c.done:
		return message{}, io.ErrUnexpectedEOF
	case <-time.After(patience):
		return message{}, fmt.Errorf("no answer to %s %s within %v", method, id, patience)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers[id][0], nil
}

// tool calls a tool by its name.
func (c *rawClient) tool(id, name string, args map[string]any) (string, bool, error) {
	params, err := json.Marshal(map[string]any{"name": name, "arguments": args})
	if err != nil {
		return "", false, err
	}
	m, err := c.ask(id, "tools/call", string(params), 100*time.Second)
	if err != nil {
		return "", false, err
	}
	text, failed := m.toolText()
	return text, failed, nil
}

func (c *rawClient) initialize(version string) message {
	c.t.Helper()
	m, err := c.ask(`"init"`, "initialize", fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"raw","version":"1"}}`, version), 10*time.Second)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return m
}

// count is how many lines came so far.
func (c *rawClient) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines)
}

// next waits for the line behind the first n.
func (c *rawClient) next(n int) string {
	c.t.Helper()
	for range 2000 {
		if c.count() > n {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.lines[n]
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("nothing came within 20 s")
	return ""
}

// once fails the test unless every id was answered exactly once and nothing
// stray was printed.
func (c *rawClient) once() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, answers := range c.answers {
		if len(answers) != 1 {
			c.t.Errorf("call %s was answered %d times", id, len(answers))
		}
	}
	for _, line := range c.stray {
		c.t.Errorf("not a message on stdout: %q", line)
	}
}
