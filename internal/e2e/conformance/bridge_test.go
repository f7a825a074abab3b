package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"
)

const (
	stateless   = "2026-07-28"
	revisionKey = "io.modelcontextprotocol/protocolVersion"
	sessionID   = "Mcp-Session-Id"
)

// bridge speaks MCP over HTTP on one side and starts shims on the other: one for
// each conversation, and in the stateless revision one for each request. It
// knows of HTTP what it must and of MCP only how to find the request that a
// message belongs to; it changes no message.
type bridge struct {
	t     *testing.T
	vault string
	home  string

	mu    sync.Mutex
	talks map[string]*talk // guarded by mu; by session id
}

// newBridge returns the address of a bridge to a vault.
func newBridge(t *testing.T, vault string) string {
	t.Helper()
	b := &bridge{t: t, vault: vault, home: t.TempDir(), talks: map[string]*talk{}}
	front := httptest.NewServer(b)
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, one := range b.talks {
			one.end()
		}
	})
	return front.URL + "/mcp"
}

// message is what the bridge reads of a message.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Meta  map[string]json.RawMessage `json:"_meta"`
		Token json.RawMessage            `json:"progressToken"`
	} `json:"params"`

	modern bool // it is of the stateless revision
}

// ServeHTTP implements [http.Handler].
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		if one := b.find(w, r); one != nil {
			b.stream(w, r, one, one.listen(""), message{})
		}
	case http.MethodDelete:
		if one := b.find(w, r); one != nil {
			b.mu.Lock()
			delete(b.talks, r.Header.Get(sessionID))
			b.mu.Unlock()
			one.end()
		}
	case http.MethodPost:
		b.post(w, r)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (b *bridge) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	var m message
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		http.Error(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}`, http.StatusBadRequest)
		return
	}
	var one *talk
	switch {
	case m.Method == "initialize":
		one = b.begin(context.Background())
		id := rand.Text()
		b.mu.Lock()
		b.talks[id] = one
		b.mu.Unlock()
		w.Header().Set(sessionID, id)
	case r.Header.Get(sessionID) != "":
		if one = b.find(w, r); one == nil {
			return
		}
	default:
		one = b.begin(r.Context())
		defer one.end()
	}
	if m.Method == "" || m.ID == nil {
		one.say(body)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	heard := one.listen(string(m.ID), string(m.Params.Meta["progressToken"]))
	one.say(body)
	m.modern = m.Params.Meta[revisionKey] != nil || r.Header.Get("Mcp-Protocol-Version") >= stateless
	b.stream(w, r, one, heard, m)
}

func (b *bridge) find(w http.ResponseWriter, r *http.Request) *talk {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.talks[r.Header.Get(sessionID)]
	if one == nil {
		http.Error(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"no such session"}}`, http.StatusNotFound)
	}
	return one
}

// stream sends events until the answer to asked, or until the client goes. In
// the stateless revision an error that comes at once is answered as plain JSON,
// with the status that MCP has for it.
func (b *bridge) stream(w http.ResponseWriter, r *http.Request, one *talk, heard *ear, asked message) {
	defer one.forget(heard)
	begun := false
	for {
		select {
		case line := <-heard.lines:
			var m struct {
				ID     json.RawMessage `json:"id"`
				Method string          `json:"method"`
				Error  *struct {
					Code int `json:"code"`
				} `json:"error"`
			}
			_ = json.Unmarshal(line, &m) // a shim speaks JSON; other tests see to that
			last := asked.ID != nil && m.Method == "" && bytes.Equal(m.ID, asked.ID)
			if last && !begun && m.Error != nil && asked.modern {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status(m.Error.Code))
				_, _ = w.Write(line)
				return
			}
			if !begun {
				w.Header().Set("Content-Type", "text/event-stream")
				begun = true
			}
			_, _ = fmt.Fprintf(w, "event: message\ndata: %s\n\n", line)
			_ = http.NewResponseController(w).Flush()
			if last {
				return
			}
		case <-r.Context().Done():
			return
		case <-one.ended:
			return
		}
	}
}

// status is what the stateless revision has for an error.
func status(code int) int {
	switch code {
	case -32601:
		return http.StatusNotFound
	case -32600, -32602, -32020, -32021, -32022, -32700:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// talk is a shim that runs.
type talk struct {
	stdin io.WriteCloser
	stop  context.CancelFunc
	ended chan struct{} // closed when the shim has ended

	mu   sync.Mutex
	ears []*ear // guarded by mu
}

// ear hears what belongs to a request, or with no keys what belongs to none.
type ear struct {
	keys  []string // the id of the request and its progress token, as JSON text
	lines chan []byte
}

// begin starts a shim, which ends with ctx.
func (b *bridge) begin(ctx context.Context) *talk {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, shim, "--vault", b.vault)
	cmd.Dir, cmd.Env = b.home, []string{"HOME=" + b.home, "USER=conformance", "PATH=/usr/bin:/bin"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		panic(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	cmd.WaitDelay = time.Second
	one := &talk{stdin: stdin, stop: cancel, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	go func() { // ends with the shim
		defer close(one.ended)
		lines := bufio.NewReader(stdout)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break
			}
			one.hand(bytes.TrimSpace(line))
		}
		_ = cmd.Wait()
	}()
	return one
}

func (o *talk) say(line []byte) {
	flat := &bytes.Buffer{}
	if json.Compact(flat, line) != nil {
		return
	}
	_, _ = o.stdin.Write(append(flat.Bytes(), '\n'))
}

func (o *talk) end() {
	_ = o.stdin.Close()
	select {
	case <-o.ended:
	case <-time.After(3 * time.Second):
	}
	o.stop()
}

func (o *talk) listen(keys ...string) *ear {
	e := &ear{keys: keys, lines: make(chan []byte, 1000)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ears = append(o.ears, e)
	return e
}

func (o *talk) forget(e *ear) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.ears {
		if o.ears[i] == e {
			o.ears = append(o.ears[:i], o.ears[i+1:]...)
			return
		}
	}
}

// hand gives a message of the shim to the request that it belongs to: by its id,
// its progress token, or else to the latest request that is open.
func (o *talk) hand(line []byte) {
	var m message
	if json.Unmarshal(line, &m) != nil {
		panic("the shim wrote a line that is no JSON: " + string(line))
	}
	key := string(m.Params.Token)
	if m.Method == "" {
		key = string(m.ID)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var to *ear
	for _, e := range o.ears {
		for at, has := range e.keys {
			// A progress token may look like the id of another request.
			if key != "" && has == key && (at == 0) == (m.Method == "") {
				to = e
			}
		}
	}
	if to == nil && m.Method != "" && len(o.ears) > 0 {
		to = o.ears[len(o.ears)-1]
	}
	if to != nil {
		to.lines <- line
	}
}
