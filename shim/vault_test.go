package shim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// vault speaks the wire as the real one does: it knows streams, counts,
// acknowledges, resends, and answers a few methods.
type vault struct {
	t      testing.TB
	url    string
	dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil on loopback
	nonces *dpop.Nonces
	verify *dpop.Verifier

	mu       sync.Mutex
	version  string
	streams  map[string]*vstream
	conns    map[*wsconn.Conn]*vstream
	away     int // status to refuse with; 0 accepts
	retry    string
	down     bool // nothing listens
	mute     bool // requests are not answered
	slow     time.Duration
	dials    int
	proofs   int
	hellos   []wire.Hello
	starts   []wire.LoginStart
	replays  []int
	seen     []string       // methods, in their order
	ran      map[string]int // calls of "echo" by their text
	refuse   map[string]string
	revision string          // what initialize agrees on; "" agrees with the client
	tools    json.RawMessage // of tools/list
	onText   func(s *vstream, data []byte) bool
	files    chan []byte // frames of files; nil for nobody who wants them
	onHello  func(c *wsconn.Conn) bool
	closed   sync.WaitGroup
	ended    bool // guarded by mu: closed is being waited for
}

type vstream struct {
	v        *vault
	write    sync.Mutex
	conn     *wsconn.Conn // guarded by v.mu
	received uint64       // guarded by v.mu
	sent     uint64       // guarded by v.mu
	tail     [][]byte     // guarded by v.mu
}

type memory struct{ seen sync.Map }

func (m *memory) Remember(_ context.Context, id string, _ time.Time) error {
	if _, twice := m.seen.LoadOrStore(id, true); twice {
		return dpop.ErrReplayed
	}
	return nil
}

const twoTools = `[{"name":"echo","inputSchema":{"type":"object"}},{"name":"slow","inputSchema":{"type":"object"}}]`

// newVault listens on loopback, or in memory for tests that live in a bubble.
func newVault(t testing.TB, inMemory bool) *vault {
	t.Helper()
	v := &vault{
		t: t, version: "v1", streams: map[string]*vstream{}, conns: map[*wsconn.Conn]*vstream{},
		ran: map[string]int{}, refuse: map[string]string{}, tools: json.RawMessage(twoTools),
		nonces: dpop.NewNonces([]byte("0123456789abcdef0123456789abcdef"), time.Minute),
	}
	v.verify = dpop.NewVerifier(dpop.VerifierConfig{Nonces: v.nonces, Replay: &memory{}})
	server := &http.Server{Handler: v, ReadHeaderTimeout: 10 * time.Second}
	var listener net.Listener
	if inMemory {
		p := &pipes{arrived: make(chan net.Conn), closed: make(chan struct{})}
		listener, v.url = p, "http://127.0.0.1:1"
		v.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			v.mu.Lock()
			down := v.down
			v.dials++
			v.mu.Unlock()
			if down {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			return p.dial(ctx)
		}
	} else {
		var err error
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		v.url = "http://" + listener.Addr().String()
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		v.with(func() { v.ended = true })
		v.cut()
		v.closed.Wait()
	})
	return v
}

// pipes is a listener of net.Pipe.
type pipes struct {
	arrived chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.arrived <- far:
		return near, nil
	case <-p.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.arrived:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	away, retry := v.away, v.retry
	if v.dial == nil {
		v.dials++
	}
	v.mu.Unlock()
	if r.URL.Path == wire.LoginStartPath {
		v.login(w, r)
		return
	}
	if away != 0 {
		if retry != "" {
			w.Header().Set("Retry-After", retry)
		}
		w.WriteHeader(away)
		_ = json.NewEncoder(w).Encode(wire.Problem{Code: "unavailable", Message: "the vault rests"})
		return
	}
	if _, err := dpop.FromRequest(v.verify, r, v.url); err != nil {
		dpop.Refuse(w, v.nonces, err)
		return
	}
	conn, err := wsconn.Upgrade(w, r, wsconn.Options{Limit: 16 << 20})
	if err != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended { // nobody waits for it any more
		_ = conn.Close(wsconn.CodeGoingAway, "")
		return
	}
	v.closed.Go(func() { v.serve(conn) })
}

// login answers that this process may open the tab.
func (v *vault) login(w http.ResponseWriter, r *http.Request) {
	if _, err := dpop.FromRequest(v.verify, r, v.url); err != nil {
		dpop.Refuse(w, v.nonces, err)
		return
	}
	var ask wire.LoginStart
	_ = json.NewDecoder(r.Body).Decode(&ask)
	v.with(func() { v.starts = append(v.starts, ask) })
	_ = json.NewEncoder(w).Encode(wire.LoginStarted{Login: "l", Start: "s", URL: v.url + wire.LoginPagePrefix + "abc", Open: !ask.OpenFailed, ExpiresInSeconds: 600})
}

func (v *vault) serve(conn *wsconn.Conn) {
	defer func() { _ = conn.Close(wsconn.CodeNormal, "") }()
	_, frame, err := conn.Read()
	if err != nil {
		return
	}
	var hello wire.Hello
	if wire.Kind(frame[0]) != wire.KindHello || wire.Decode(frame[1:], &hello) != nil {
		v.t.Errorf("first frame is %q", frame)
		return
	}
	v.mu.Lock()
	v.hellos = append(v.hellos, hello)
	onHello := v.onHello
	v.mu.Unlock()
	if onHello != nil && onHello(conn) {
		return
	}
	s := v.arrive(conn, hello)
	over := make(chan struct{})
	defer close(over)
	v.closed.Go(func() { ping(conn, over) })
	for s != nil {
		text, data, err := conn.Read()
		if err != nil {
			return
		}
		if text {
			s.text(conn, append([]byte(nil), data...))
		} else {
			s.binary(conn, data)
		}
	}
}

// ping keeps a link alive, as vaults do.
func ping(conn *wsconn.Conn, over chan struct{}) {
	tick := time.NewTicker(wire.PingEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			_ = conn.Ping()
		}
	}
}

func (v *vault) arrive(conn *wsconn.Conn, hello wire.Hello) *vstream {
	v.mu.Lock()
	s := v.streams[hello.Stream]
	v.mu.Unlock()
	if s == nil {
		s = &vstream{v: v}
	}
	s.write.Lock()
	defer s.write.Unlock()
	v.mu.Lock()
	resumed := s.received > 0 && hello.Received <= s.sent && hello.Received >= s.sent-uint64(len(s.tail))
	if !resumed {
		s = &vstream{v: v}
	}
	v.streams[hello.Stream] = s
	v.conns[conn] = s
	if s.conn != nil {
		old := s.conn
		defer func() { _ = old.Close(wsconn.CodeNormal, "") }()
	}
	s.conn = conn
	var tail [][]byte
	if resumed {
		s.trim(hello.Received)
		tail = s.tail
	}
	answer := wire.Resume{Resumed: resumed, Received: s.received, Version: v.version}
	v.mu.Unlock()
	if conn.WriteBinary(wire.Encode(wire.KindResume, answer)) != nil {
		return nil
	}
	for _, data := range tail {
		_ = conn.WriteText(data)
	}
	return s
}

func (s *vstream) trim(n uint64) {
	if n <= s.sent && s.sent-n <= uint64(len(s.tail)) {
		s.tail = s.tail[uint64(len(s.tail))-(s.sent-n):]
	}
}

func (s *vstream) binary(conn *wsconn.Conn, frame []byte) {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	switch wire.Kind(frame[0]) {
	case wire.KindAck:
		if n, err := wire.DecodeAck(frame[1:]); err == nil && s.conn == conn {
			s.trim(n)
		}
	case wire.KindReplay:
		var replay wire.Replay
		_ = wire.Decode(frame[1:], &replay)
		s.v.replays = append(s.v.replays, replay.Frames)
	case wire.KindProof:
		var proof wire.Proof
		_ = wire.Decode(frame[1:], &proof)
		if _, err := s.v.verify.Verify(context.Background(), proof.Proof, "GET", s.v.url+wire.ConnectPath); err == nil {
			s.v.proofs++
		}
	case wire.KindFileAnswer, wire.KindFileData:
		s.v.files <- bytes.Clone(frame)
	}
}

type request struct {
	ID     json.RawMessage
	Method string
	Params struct {
		ProtocolVersion string
		Name            string
		Arguments       struct {
			Text string
			Size int
		}
		RequestID json.RawMessage
	}
}

func (s *vstream) text(conn *wsconn.Conn, data []byte) {
	s.v.mu.Lock()
	if s.conn != conn {
		s.v.mu.Unlock()
		return
	}
	s.received++
	n := s.received
	onText, mute, slow := s.v.onText, s.v.mute, s.v.slow
	var m request
	if err := json.Unmarshal(data, &m); err != nil {
		s.v.t.Errorf("frame %q: %v", data, err)
	}
	s.v.seen = append(s.v.seen, m.Method)
	s.v.mu.Unlock()
	if n%8 == 0 || n < 8 {
		_ = conn.WriteBinary(wire.EncodeAck(n))
	}
	if onText != nil && onText(s, data) || mute || m.ID == nil || m.Method == "" {
		return
	}
	if slow > 0 {
		s.v.closed.Go(func() { time.Sleep(slow); s.answer(m) })
		return
	}
	s.answer(m)
}

func (s *vstream) answer(m request) {
	v := s.v
	v.mu.Lock()
	refuse, revision, tools := v.refuse[m.Method], v.revision, v.tools
	v.mu.Unlock()
	if revision == "" {
		revision = m.Params.ProtocolVersion
	}
	result := ""
	switch {
	case refuse != "":
		s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":%s}`, m.ID, refuse))
		return
	case m.Method == "initialize":
		result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"real","version":"1"}}`, revision)
	case m.Method == "server/discover":
		result = `{"supportedVersions":["2026-07-28","2025-11-25"],"capabilities":{"tools":{"listChanged":true}},"resultType":"complete"}`
	case m.Method == "tools/list":
		result = `{"tools":` + string(tools) + `}`
	case m.Method == "subscriptions/listen":
		s.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s},"notifications":{"toolsListChanged":true}}}`, m.ID))
		return
	case m.Method == "tools/call" && m.Params.Name == "slow":
		return
	case m.Method == "tools/call":
		v.mu.Lock()
		v.ran[m.Params.Arguments.Text]++
		v.mu.Unlock()
		result = fmt.Sprintf(`{"content":[{"type":"text","text":%q}]}`, m.Params.Arguments.Text+strings.Repeat("x", m.Params.Arguments.Size))
	default:
		result = "{}"
	}
	s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result))
}

// send sends a message, now or when the shim comes back.
func (s *vstream) send(data string) {
	s.write.Lock()
	defer s.write.Unlock()
	s.v.mu.Lock()
	s.sent++
	s.tail = append(s.tail, []byte(data))
	conn := s.conn
	s.v.mu.Unlock()
	if conn != nil {
		_ = conn.WriteText([]byte(data))
	}
}

// frame sends a frame of the wire to every shim.
func (v *vault) frame(frame []byte) {
	for _, conn := range v.links() {
		_ = conn.WriteBinary(frame)
	}
}

func (v *vault) links() []*wsconn.Conn {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []*wsconn.Conn
	for conn, s := range v.conns {
		if s.conn == conn {
			all = append(all, conn)
		}
	}
	return all
}

// cut loses all links; the streams stay.
func (v *vault) cut() {
	for _, conn := range v.links() {
		v.mu.Lock()
		v.conns[conn].conn = nil
		delete(v.conns, conn)
		v.mu.Unlock()
		_ = conn.Close(wsconn.CodeNormal, "")
	}
}

// kill loses everything, as a vault that was killed does.
func (v *vault) kill() {
	v.mu.Lock()
	v.streams = map[string]*vstream{}
	v.mu.Unlock()
	v.cut()
}

// with changes the vault under its lock.
func (v *vault) with(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

// stream is the one stream of the test.
func (v *vault) stream() *vstream {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.streams {
		return s
	}
	return nil
}

// counts tells how often the vault was dialled, and how many links said hello.
func (v *vault) counts() (dials, links int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dials, len(v.hellos)
}

func (v *vault) saw(method string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, m := range v.seen {
		if m == method {
			n++
		}
	}
	return n
}
