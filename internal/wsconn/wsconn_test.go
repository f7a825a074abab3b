package wsconn_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// pipes is a listener whose connections are pipes: no ports, no buffers, and
// time that a test can make pass.
type pipes struct {
	conns   chan net.Conn
	done    chan struct{}
	sockets net.Listener // if not nil, connections are sockets after all
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far, err := p.ends()
	if err != nil {
		return nil, err
	}
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) ends() (near, far net.Conn, err error) {
	if p.sockets == nil {
		near, far = net.Pipe()
		return near, far, nil
	}
	if near, err = net.Dial("tcp", p.sockets.Addr().String()); err != nil {
		return nil, nil, err
	}
	far, err = p.sockets.Accept()
	return near, far, err
}

// vault is a server that upgrades whoever comes and hands the connection on.
type vault struct {
	*pipes
	arrived chan *wsconn.Conn
}

func newVault(t testing.TB, options wsconn.Options) *vault {
	t.Helper()
	return serve(t, &pipes{conns: make(chan net.Conn), done: make(chan struct{})}, options)
}

// onSockets is newVault with real connections, which are read another way.
func onSockets(t testing.TB, options wsconn.Options) *vault {
	t.Helper()
	sockets, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sockets.Close() })
	return serve(t, &pipes{conns: make(chan net.Conn), done: make(chan struct{}), sockets: sockets}, options)
}

func serve(t testing.TB, p *pipes, options wsconn.Options) *vault {
	t.Helper()
	v := &vault{p, make(chan *wsconn.Conn, 1)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := wsconn.Upgrade(w, r, options); err == nil {
			v.arrived <- conn
		}
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(v.pipes) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return v
}

// pair returns both ends of a connection.
func pair(t testing.TB, options wsconn.Options) (shim, vault *wsconn.Conn) {
	t.Helper()
	v := newVault(t, options)
	shim, _, err := wsconn.Dial(t.Context(), "ws://vault/", wsconn.DialOptions{NetDial: v.dial, Limit: options.Limit, Silence: options.Silence})
	if err != nil {
		t.Fatal(err)
	}
	vault = <-v.arrived
	t.Cleanup(func() {
		_ = shim.Close(wsconn.CodeNormal, "")
		_ = vault.Close(wsconn.CodeNormal, "")
	})
	return shim, vault
}

// handshake connects without our code on this side, to send what it would not.
func (v *vault) handshake(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := v.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: vault\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: "+wire.Subprotocol+"\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v, %v", response, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, r
}

// frame is a masked frame as RFC 6455 §5.2 draws it; the mask is zero.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

type message struct {
	Text bool
	Data string
}

// receive reads n messages.
func receive(t testing.TB, c *wsconn.Conn, n int) []message {
	t.Helper()
	var all []message
	for range n {
		text, data, err := c.Read()
		if err != nil {
			t.Errorf("after %d messages: %v", len(all), err)
			break
		}
		all = append(all, message{text, string(data)})
	}
	return all
}

func TestMessagesBothWays(t *testing.T) {
	shim, vault := pair(t, wsconn.Options{})
	for name, ends := range map[string][2]*wsconn.Conn{"up": {shim, vault}, "down": {vault, shim}} {
		var sent sync.WaitGroup
		sent.Go(func() {
			if err := errors.Join(
				ends[0].WriteText([]byte(`{"a":"é"}`)), ends[0].WriteBinary([]byte{0, 0xff}), ends[0].WriteText(nil),
				ends[0].WriteTexts([][]byte{[]byte("one"), []byte(strings.Repeat("x", 300_000)), nil, []byte("three")}),
				ends[0].WriteTexts(nil), ends[0].WriteTexts([][]byte{[]byte("alone")}),
			); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		got := receive(t, ends[1], 8)
		sent.Wait()
		want := []message{{true, `{"a":"é"}`}, {false, "\x00\xff"}, {true, ""}, {true, "one"}, {true, strings.Repeat("x", 300_000)}, {true, ""}, {true, "three"}, {true, "alone"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %.500s", name, diff)
		}
	}
}

func TestTheLimit(t *testing.T) {
	const limit = 100_000
	t.Run("nothing over it is sent", func(t *testing.T) {
		shim, vault := pair(t, wsconn.Options{Limit: limit})
		over := make([]byte, limit+1)
		for i, err := range []error{shim.WriteText(over), shim.WriteBinary(over), shim.WriteTexts([][]byte{[]byte("first"), over})} {
			if !errors.Is(err, wsconn.ErrTooBig) {
				t.Errorf("write %d = %v", i, err)
			}
		}
		go func() { _ = shim.WriteText(over[:limit]) }()
		if got := receive(t, vault, 1); len(got) != 1 || len(got[0].Data) != limit {
			t.Errorf("got %d messages", len(got))
		}
	})
	for name, frames := range map[string][][]byte{
		"one frame":   {frame(0x81, make([]byte, limit+1))},
		"many frames": {frame(0x01, make([]byte, limit)), frame(0x80, []byte("x"))},
	} {
		t.Run("nothing over it is taken: "+name, func(t *testing.T) {
			v := newVault(t, wsconn.Options{Limit: limit})
			conn, r := v.handshake(t)
			vault := <-v.arrived
			go func() {
				for _, f := range frames {
					_, _ = conn.Write(f)
				}
			}()
			code := make(chan []byte, 1)
			go func() {
				answer := make([]byte, 4)
				_, _ = io.ReadFull(r, answer)
				code <- answer[2:]
				_, _ = io.Copy(io.Discard, r)
			}()
			if _, _, err := vault.Read(); !errors.Is(err, wsconn.ErrTooBig) {
				t.Errorf("Read = %v", err)
			}
			if got := <-code; got[0] != 1009>>8 || got[1] != 1009&0xff {
				t.Errorf("the peer was told % x", got)
			}
		})
	}
}

func TestTextIsUTF8(t *testing.T) {
	shim, vault := pair(t, wsconn.Options{})
	go func() { _ = shim.WriteText([]byte("\xc3\x28")) }()
	said := make(chan error, 1)
	go func() { _, _, err := shim.Read(); said <- err }()
	if _, _, err := vault.Read(); !errors.Is(err, wsconn.ErrText) {
		t.Errorf("Read = %v", err)
	}
	if code := wsconn.Code(<-said); code != wsconn.CodeInvalid {
		t.Errorf("the peer was told %d", code)
	}
}

// TestFramesThatAreWrong: each ends the connection, none does harm.
func TestFramesThatAreWrong(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"reserved bits":           frame(0xf1, []byte("x")),
		"a reserved kind":         frame(0x83, []byte("x")),
		"a compressed one":        frame(0xc1, []byte("x")),
		"not masked":              {0x81, 1, 'x'},
		"a continuation of none":  frame(0x80, []byte("x")),
		"a message in a message":  append(frame(0x01, []byte("x")), frame(0x81, []byte("y"))...),
		"a long ping":             frame(0x89, make([]byte, 126)),
		"a ping in parts":         frame(0x09, nil),
		"a long pong":             frame(0x8a, make([]byte, 126)),
		"a pong in parts":         frame(0x0a, nil),
		"a pong with no mask":     {0x8a, 4, 'p', 'o', 'n', 'g', 0, 0, 0, 0, 0, 0},
		"a close code that isn't": frame(0x88, []byte{0, 1}),
		"half a close code":       frame(0x88, []byte{3}),
		"a negative length":       {0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
	} {
		for way, newVault := range ways {
			t.Run(name+way, func(t *testing.T) {
				v := newVault(t, wsconn.Options{})
				conn, r := v.handshake(t)
				vault := <-v.arrived
				go func() { _, _ = conn.Write(bytes) }()
				go func() { _, _ = io.Copy(io.Discard, r) }()
				if text, data, err := vault.Read(); err == nil {
					t.Errorf("Read = %v, %q", text, data)
				}
			})
		}
	}
}

var ways = map[string]func(testing.TB, wsconn.Options) *vault{" over a pipe": newVault, " over a socket": onSockets}

func TestWhoMayNotConnect(t *testing.T) {
	v := newVault(t, wsconn.Options{})
	for name, test := range map[string]struct {
		header http.Header
		status int
	}{
		"a web page":           {http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		"a web page of ours":   {http.Header{"Origin": {"http://vault"}}, http.StatusForbidden},
		"an empty origin":      {http.Header{"Origin": {""}}, http.StatusForbidden},
		"another subprotocol":  {http.Header{"Sec-Websocket-Protocol": {"graphql-ws"}}, http.StatusBadRequest},
		"no subprotocol":       {http.Header{}, http.StatusBadRequest},
		"a part of the name":   {http.Header{"Sec-Websocket-Protocol": {"coatcheck"}}, http.StatusBadRequest},
		"an old version":       {http.Header{"Sec-Websocket-Protocol": {wire.Subprotocol}, "Sec-Websocket-Version": {"8"}}, http.StatusBadRequest},
		"a key that is none":   {http.Header{"Sec-Websocket-Protocol": {wire.Subprotocol}, "Sec-Websocket-Key": {"x"}}, http.StatusBadRequest},
		"a plain GET, no more": {http.Header{"Sec-Websocket-Protocol": {wire.Subprotocol}, "Upgrade": {""}}, http.StatusUpgradeRequired},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://vault/", nil)
		req.Header = http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
		}
		for k, v := range test.header {
			req.Header[k] = v
		}
		client := &http.Client{Transport: &http.Transport{DialContext: v.dial, DisableKeepAlives: true}}
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode != test.status && (test.status != http.StatusUpgradeRequired || res.StatusCode != http.StatusBadRequest) {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, test.status)
		}
	}
}

func TestDialingWhatIsNoVault(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" { // upgrades, but to something else
			conn, rw, _ := http.NewResponseController(w).Hijack()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
				accept(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n")
			_ = rw.Flush()
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		http.Error(w, "dear visitor", http.StatusTeapot)
	}))
	defer site.Close()
	address := "ws" + strings.TrimPrefix(site.URL, "http")
	if _, _, err := wsconn.Dial(t.Context(), address+"/other", wsconn.DialOptions{}); !errors.Is(err, wsconn.ErrSubprotocol) {
		t.Errorf("another subprotocol: %v", err)
	}
	_, res, err := wsconn.Dial(t.Context(), address, wsconn.DialOptions{})
	if err == nil || res == nil || res.StatusCode != http.StatusTeapot {
		t.Fatalf("a web site: %v, %v", res, err)
	}
	if body, _ := io.ReadAll(res.Body); !bytes.Contains(body, []byte("dear visitor")) {
		t.Errorf("body = %q", body)
	}
	site.Close()
	if _, res, err := wsconn.Dial(t.Context(), address, wsconn.DialOptions{}); err == nil || res != nil {
		t.Errorf("nobody: %v, %v", res, err)
	}
}

// TestTLSStaysWithHTTP1 dials a server that would rather speak HTTP/2.
func TestTLSStaysWithHTTP1(t *testing.T) {
	arrived := make(chan *wsconn.Conn, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := wsconn.Upgrade(w, r, wsconn.Options{Header: http.Header{"X-Extra": {"yes"}}})
		if err != nil {
			t.Error(err)
		}
		arrived <- conn
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	address := "wss" + strings.TrimPrefix(server.URL, "https")
	if _, _, err := wsconn.Dial(t.Context(), address, wsconn.DialOptions{}); err == nil {
		t.Error("trusts anybody")
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	config := &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
	conn, res, err := wsconn.Dial(t.Context(), address, wsconn.DialOptions{TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(wsconn.CodeNormal, "")
	far := <-arrived
	defer far.Close(wsconn.CodeNormal, "")
	if res.Header.Get("X-Extra") != "yes" || len(config.NextProtos) != 2 || conn.RemoteAddr().String() != server.Listener.Addr().String() {
		t.Errorf("header %v, the caller's protocols %v, address %v", res.Header, config.NextProtos, conn.RemoteAddr())
	}
	if err := conn.WriteTexts([][]byte{[]byte("a"), []byte("b")}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]message{{true, "a"}, {true, "b"}}, receive(t, far, 2)); diff != "" {
		t.Error(diff)
	}
}

func TestAServerThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, _, err := wsconn.Dial(t.Context(), "ws://vault/", wsconn.DialOptions{NetDial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			return near, nil
		}})
		if took := time.Since(start); err == nil || took != wire.HandshakeTimeout {
			t.Errorf("gave up after %v: %v", took, err)
		}
	})
}

// TestAPeerThatNeverReads must not hold anybody up for longer than a write may
// take.
func TestAPeerThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, vault := pair(t, wsconn.Options{})
		start := time.Now()
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				if err := vault.WriteText(fmt.Append(nil, i)); err == nil {
					t.Error("wrote to nobody")
				}
			})
		}
		writers.Wait()
		if took := time.Since(start); took != wire.WriteTimeout {
			t.Errorf("writers were held for %v", took)
		}
		start = time.Now()
		if err := vault.WriteTexts([][]byte{[]byte("a"), []byte("b")}); err == nil {
			t.Error("a batch was written to nobody")
		}
		if err := vault.Ping(); err == nil {
			t.Error("a ping was written to nobody")
		}
		_ = vault.Close(wsconn.CodeNormal, "bye")
		if took := time.Since(start); took > 2*wire.WriteTimeout {
			t.Errorf("the rest took %v", took)
		}
	})
}

func TestCloseIsQuickWhileAWriteHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, vault := pair(t, wsconn.Options{})
		written, read := make(chan error, 1), make(chan error, 1)
		go func() { written <- vault.WriteText([]byte("x")) }()
		go func() { _, _, err := vault.Read(); read <- err }()
		synctest.Wait()
		start := time.Now()
		_ = vault.Close(wsconn.CodeGoingAway, "")
		if took := time.Since(start); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		for name, err := range map[string]error{"the write that hung": <-written, "the read": <-read, "a later write": vault.WriteText(nil)} {
			if !errors.Is(err, wsconn.ErrClosed) {
				t.Errorf("%s = %v", name, err)
			}
		}
	})
}

func TestSilenceIsDeath(t *testing.T) {
	t.Run("nothing heard", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, vault := pair(t, wsconn.Options{})
			start := time.Now()
			_, _, err := vault.Read()
			if took := time.Since(start); err == nil || took != wire.SilenceLimit {
				t.Errorf("Read ended after %v: %v", took, err)
			}
		})
	})
	t.Run("pings keep both ends alive", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			shim, vault := pair(t, wsconn.Options{})
			shimEnd, vaultEnd := make(chan error, 1), make(chan error, 1)
			go func() { _, _, err := shim.Read(); shimEnd <- err }()
			go func() { _, _, err := vault.Read(); vaultEnd <- err }()
			for range 20 {
				time.Sleep(wire.PingEvery)
				if err := vault.Ping(); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-shimEnd:
				t.Errorf("the shim's end died: %v", err)
			case err := <-vaultEnd:
				t.Errorf("the vault's end died: %v", err)
			default:
			}
			_ = shim.Close(wsconn.CodeNormal, "")
			<-shimEnd
			<-vaultEnd
		})
	})
}

func TestClosingSaysWhy(t *testing.T) {
	for _, reason := range []string{"", "drain", strings.Repeat("é", 200)} {
		shim, vault := pair(t, wsconn.Options{})
		said := make(chan error, 1)
		go func() { _, _, err := shim.Read(); said <- err }()
		if err := vault.Close(wsconn.CodePolicy, reason); err != nil {
			t.Error(err)
		}
		if err := vault.Close(wsconn.CodeNormal, "again"); err != nil {
			t.Error(err)
		}
		err := <-said
		if code := wsconn.Code(err); code != wsconn.CodePolicy || reason != "" && !strings.Contains(err.Error(), reason[:5]) {
			t.Errorf("%.10q: the peer heard %v", reason, err)
		}
		if wsconn.Code(wsconn.ErrClosed) != 0 || wsconn.Code(nil) != 0 {
			t.Error("a code where there is none")
		}
	}
}

// TestASlowPeerThatPings: answering its pings must not cut what it is being
// sent.
func TestASlowPeerThatPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, wsconn.Options{})
		conn, r := v.handshake(t)
		vault := <-v.arrived
		batch := [][]byte{[]byte(strings.Repeat("a", 50_000)), []byte(strings.Repeat("b", 50_000))}
		written, read := make(chan error, 1), make(chan error, 1)
		go func() { written <- vault.WriteTexts(batch) }()
		go func() { _, _, err := vault.Read(); read <- err }()
		go func() {
			for range 3 {
				_, _ = conn.Write(frame(0x89, []byte("?")))
			}
		}()
		time.Sleep(5 * time.Second)
		go func() { _, _ = io.Copy(io.Discard, r) }()
		if err := <-written; err != nil {
			t.Errorf("WriteTexts = %v", err)
		}
		if err := vault.WriteText([]byte("more")); err != nil {
			t.Errorf("WriteText = %v", err)
		}
		_ = vault.Close(wsconn.CodeNormal, "")
		<-read
	})
}

func TestCloseIsQuickWhileABatchHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, vault := pair(t, wsconn.Options{})
		written := make(chan error, 1)
		go func() { written <- vault.WriteTexts([][]byte{[]byte("a"), []byte("b")}) }()
		synctest.Wait()
		start := time.Now()
		_ = vault.Close(wsconn.CodeGoingAway, "")
		if err := <-written; err == nil {
			t.Error("wrote to nobody")
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("closing took %v", took)
		}
	})
}

// TestManyWriters: messages stay whole and in the order of each writer.
func TestManyWriters(t *testing.T) {
	shim, vault := pair(t, wsconn.Options{})
	const writers, each = 8, 100
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			text := func(i int) []byte { return fmt.Appendf(nil, "%d %d x%s", w, i, strings.Repeat("x", w*700)) }
			for i := 0; i < each; i += 4 {
				err := errors.Join(vault.WriteText(text(i)), vault.WriteTexts([][]byte{text(i + 1), text(i + 2)}), vault.WriteBinary(text(i+3)), vault.Ping())
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	go func() { _, _, _ = vault.Read() }() // pongs
	next := map[int]int{}
	for range writers * each {
		_, data, err := shim.Read()
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(data), " x")
		var w, i int
		_, _ = fmt.Sscan(head, &w, &i)
		if next[w] != i || len(rest) != w*700 {
			t.Fatalf("writer %d: message %d with %d bytes, want %d with %d", w, i, len(rest), next[w], w*700)
		}
		next[w]++
	}
	go func() { _, _, _ = shim.Read() }() // the last pings
	all.Wait()
}

// counted counts writes, which cost a system call each.
type counted struct {
	net.Conn
	writes atomic.Int32
}

func (c *counted) Write(p []byte) (int, error) { c.writes.Add(1); return c.Conn.Write(p) }

func TestABatchIsOneWrite(t *testing.T) {
	v := newVault(t, wsconn.Options{})
	var conn *counted
	shim, _, err := wsconn.Dial(t.Context(), "ws://vault/", wsconn.DialOptions{NetDial: func(ctx context.Context, n, a string) (net.Conn, error) {
		near, err := v.dial(ctx, n, a)
		conn = &counted{Conn: near}
		return conn, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer shim.Close(wsconn.CodeNormal, "")
	vault := <-v.arrived
	defer vault.Close(wsconn.CodeNormal, "")
	before := conn.writes.Load()
	messages := make([][]byte, 50)
	for i := range messages {
		messages[i] = []byte(strings.Repeat("m", 500))
	}
	go func() {
		if err := shim.WriteTexts(messages); err != nil {
			t.Error(err)
		}
	}()
	receive(t, vault, 50)
	if n := conn.writes.Load() - before; n != 1 {
		t.Errorf("%d writes", n)
	}
}

// FuzzServer feeds bytes to upgraded connections, a pipe and a socket: whatever
// they are, reading ends, nothing over the limit comes out, and both ways of
// reading understand the same.
// cut is a connection that fails in the middle of a large write, once.
type cut struct {
	net.Conn
	after  atomic.Int64 // bytes that come first; 0 for one that does not fail
	failed atomic.Bool
	later  atomic.Int64 // bytes that were written behind what was cut off
}

func (c *cut) Write(p []byte) (int, error) {
	if c.failed.Load() {
		c.later.Add(int64(len(p)))
	}
	if most := int(c.after.Load()); most > 0 && len(p) > most && !c.failed.Swap(true) {
		n, _ := c.Conn.Write(p[:most])
		return n, os.ErrDeadlineExceeded
	}
	return c.Conn.Write(p)
}

// What is written behind half a frame would be taken for the rest of it.
func TestNothingFollowsHalfAFrame(t *testing.T) {
	for name, write := range map[string]func(*wsconn.Conn) error{
		"held":  func(c *wsconn.Conn) error { return c.WriteBinary(make([]byte, 9<<10)) },
		"large": func(c *wsconn.Conn) error { return c.WriteBinary(make([]byte, 300<<10)) },
		"batch": func(c *wsconn.Conn) error { return c.WriteTexts([][]byte{make([]byte, 3<<10), make([]byte, 3<<10)}) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t, wsconn.Options{})
			conn := new(cut)
			shim, _, err := wsconn.Dial(t.Context(), "ws://vault/", wsconn.DialOptions{NetDial: func(ctx context.Context, n, a string) (net.Conn, error) {
				near, err := v.dial(ctx, n, a)
				conn.Conn = near
				return conn, err
			}})
			if err != nil {
				t.Fatal(err)
			}
			vault := <-v.arrived
			defer vault.Close(wsconn.CodeNormal, "")
			go func() { _, _, _ = vault.Read() }() // ends when the connection does
			conn.after.Store(1 << 10)
			if err := write(shim); err == nil {
				t.Error("the write did not fail")
			}
			if err := errors.Join(shim.WriteBinary([]byte("next")), shim.Ping()); err == nil {
				t.Error("the next write did not fail")
			}
			_ = shim.Close(wsconn.CodeNormal, "")
			if n := conn.later.Load(); n > 0 {
				t.Errorf("%d bytes came behind half a frame", n)
			}
		})
	}
}

func FuzzServer(f *testing.F) {
	pong := frame(0x8a, []byte("pong"))
	f.Add(frame(0x81, []byte("hello")))
	f.Add(append(frame(0x01, []byte("a")), frame(0x80, []byte("b"))...))
	f.Add(frame(0x88, []byte{3, 232}))
	f.Add(frame(0x89, []byte("ping")))
	f.Add(slices.Concat(pong, pong, frame(0x01, []byte("a")), pong, frame(0x80, []byte("b")), pong, frame(0x82, []byte("c")), pong))
	f.Add(slices.Concat(frame(0x82, make([]byte, 900)), pong[:7]))
	const limit = 1000
	pipe, socket := newVault(f, wsconn.Options{Limit: limit}), onSockets(f, wsconn.Options{Limit: limit})
	f.Fuzz(func(t *testing.T, data []byte) {
		got := understood(t, pipe, data)
		for _, m := range got {
			if len(m.Data) > limit {
				t.Errorf("a message of %d bytes", len(m.Data))
			}
		}
		// A pipe whose far end has closed is not read to its end.
		whole := understood(t, socket, data)
		begins := append([]message(nil), whole[:min(len(got), len(whole))]...)
		if diff := cmp.Diff(got, begins); diff != "" {
			t.Errorf("over a socket (+): %s", diff)
		}
	})
}

// understood is what a vault reads of data until the end.
func understood(t testing.TB, v *vault, data []byte) (all []message) {
	t.Helper()
	conn, r := v.handshake(t)
	vault := <-v.arrived
	go func() { _, _ = io.Copy(io.Discard, r) }()
	go func() {
		_, _ = conn.Write(data)
		if half, ok := conn.(*net.TCPConn); ok {
			_ = half.CloseWrite() // what is on its way arrives
			return
		}
		_ = conn.Close()
	}()
	for {
		text, data, err := vault.Read()
		if err != nil {
			break
		}
		all = append(all, message{text, string(data)})
	}
	_ = vault.Close(wsconn.CodeNormal, "")
	return all
}

// TestPongs: they are heard as signs of life wherever they come, in pieces too,
// and are no messages.
func TestPongs(t *testing.T) {
	for way, newVault := range ways {
		t.Run(way, func(t *testing.T) {
			const silence = 600 * time.Millisecond
			v := newVault(t, wsconn.Options{Silence: silence})
			conn, r := v.handshake(t)
			vault := <-v.arrived
			go func() { _, _ = io.Copy(io.Discard, r) }()
			pong := frame(0x8a, []byte("pong"))
			go func() {
				for range 8 {
					_, _ = conn.Write(pong)
					time.Sleep(silence / 4)
				}
				_, _ = conn.Write(pong[:3])
				time.Sleep(silence / 4)
				_, _ = conn.Write(slices.Concat(pong[3:], pong, frame(0x01, []byte("a"))))
				time.Sleep(silence / 4)
				_, _ = conn.Write(slices.Concat(pong, frame(0x80, []byte("b")), pong[:8]))
				time.Sleep(silence / 4)
				_, _ = conn.Write(append(pong[8:], frame(0x82, []byte("c"))...))
			}()
			if diff := cmp.Diff([]message{{true, "ab"}, {false, "c"}}, receive(t, vault, 2)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// accept is the answer to a key (RFC 6455 §4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
