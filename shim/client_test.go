package shim_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/shim"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
)

// key is a device's key.
type key struct {
	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	asked int
	wait  chan struct{} // if not nil, the key is there once it is closed
	err   error
}

func (k *key) Device(ctx context.Context) (*device.DeviceKey, error) {
	k.mu.Lock()
	k.asked++
	wait, err := k.wait, k.err
	k.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &device.DeviceKey{Key: k.key, Class: device.ClassFile}, err
}

func (k *key) times() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// client is an MCP client that has started a shim.
type client struct {
	t     testing.TB
	in    *io.PipeWriter
	out   *io.PipeReader
	key   *key
	lines chan string
	ended chan error
	stop  context.CancelFunc
	late  time.Duration // for an answer
}

// start runs a shim that goes to v, over the given network if there is one.
// Change may be nil.
func start(t testing.TB, v *vault, change func(*shim.Config), over ...func(context.Context, string, string) (net.Conn, error)) *client {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	way, err := network.New(network.Config{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(v.url)
	if err != nil {
		t.Fatal(err)
	}
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	c := &client{t: t, in: stdin, out: stdout, key: &key{key: secret}, lines: make(chan string, 8192), ended: make(chan error, 1), late: 10 * time.Second}
	cfg := shim.Config{
		Stdin: in, Stdout: out, VaultURL: at, Network: way, Prover: c.key, CacheDir: "", Version: "test", Log: nil,
	}
	if change != nil {
		change(&cfg)
	}
	for _, dial := range append(over, v.dial) {
		if dial != nil {
			cfg = cfg.WithNetDial(dial)
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	done, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		c.ended <- shim.Run(ctx, cfg)
		_, _ = out.Close(), in.Close()
	}()
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 32<<20)
		for lines.Scan() {
			if !json.Valid(lines.Bytes()) {
				t.Errorf("not JSON on stdout: %q", lines.Text())
			}
			c.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = stdin.Close()
		_ = stdout.Close()
		<-done
		<-read
		way.Close()
	})
	return c
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		c.t.Errorf("writing to the shim: %v", err)
	}
}

// said is a message of the shim.
type said struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int             `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	} `json:"error"`
	line string
}

func (m said) text() string {
	var result struct {
		Content []struct{ Text string }
		IsError bool
	}
	if json.Unmarshal(m.Result, &result) != nil || len(result.Content) == 0 {
		return ""
	}
	if result.IsError {
		return "error: " + result.Content[0].Text
	}
	return result.Content[0].Text
}

func (c *client) next() said {
	c.t.Helper()
	select {
	case line := <-c.lines:
		var m said
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			c.t.Fatalf("line %q: %v", line, err)
		}
		m.line = line
		return m
	case <-time.After(c.late):
		c.t.Fatalf("nothing came within %v", c.late)
		panic("unreachable")
	}
}

// answer returns the next message, which must answer id.
func (c *client) answer(id string) said {
	c.t.Helper()
	m := c.next()
	if string(m.ID) != id || m.Method != "" {
		c.t.Fatalf("got %.300s instead of the answer to %s", m.line, id)
	}
	return m
}

// quiet fails the test if something comes within d.
func (c *client) quiet(d time.Duration) {
	c.t.Helper()
	select {
	case line := <-c.lines:
		c.t.Errorf("unexpected: %.300s", line)
	case <-time.After(d):
	}
}

func initializeLine(id, revision string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, id, revision)
}

func (c *client) initialize(revision string) said {
	c.t.Helper()
	c.send("%s", initializeLine(`"init"`, revision))
	m := c.answer(`"init"`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return m
}

func (c *client) call(id, tool, text string) {
	c.t.Helper()
	c.send(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{"text":%q}}}`, id, tool, text)
}

// echo calls and waits for the answer.
func (c *client) echo(id, text string) {
	c.t.Helper()
	c.call(id, "echo", text)
	if got := c.answer(id).text(); got != text {
		c.t.Fatalf("echo %s = %q, want %q", id, got, text)
	}
}

// end closes the input and waits for Run.
func (c *client) end(within time.Duration) error {
	c.t.Helper()
	_ = c.in.Close()
	return c.gone(within)
}

func (c *client) gone(within time.Duration) error {
	c.t.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(within):
		c.t.Fatalf("the shim did not end within %v", within)
		return nil
	}
}

func contains(t testing.TB, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%.400q does not say %q", text, want)
	}
}
