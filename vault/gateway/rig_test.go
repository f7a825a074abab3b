package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// sessions is a store of sessions in memory.
type sessions struct {
	mu      sync.Mutex
	devices map[identity.DeviceID]session.Session
	epoch   int64
	err     error
	touched int
	asked   func() // between what Current reads and returns, if not nil
}

func (s *sessions) Current(_ context.Context, device identity.DeviceID) (session.Session, error) {
	now, asked, err := s.current(device)
	if asked != nil {
		asked()
	}
	return now, err
}

func (s *sessions) current(device identity.DeviceID) (session.Session, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return session.Session{}, s.asked, s.err
	}
	now, ok := s.devices[device]
	if !ok || time.Now().After(now.Until) || time.Now().After(now.IdleUntil) {
		return session.Session{}, s.asked, session.ErrNone
	}
	return now, s.asked, nil
}

func (s *sessions) Touch(context.Context, session.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touched++
	return s.err
}

func (s *sessions) Epoch(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch, s.err
}

func (s *sessions) signIn(device identity.DeviceID, person string) session.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := session.Session{
		ID: identity.SessionID(identity.NewID("s_")), Device: device, Person: identity.PersonID(person), Tenant: "acme",
		Created: time.Now(), IdleUntil: time.Now().Add(time.Hour), Until: time.Now().Add(24 * time.Hour),
	}
	s.devices[device] = now
	return now
}

func (s *sessions) revoke(device identity.DeviceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.devices, device)
	s.epoch++
}

// onAsked makes every answer of Current wait for f once it was read.
func (s *sessions) onAsked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = f
}

func (s *sessions) move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}

func (s *sessions) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// memory remembers proofs.
type memory struct{ seen sync.Map }

func (m *memory) Remember(_ context.Context, id string, _ time.Time) error {
	if _, twice := m.seen.LoadOrStore(id, true); twice {
		return dpop.ErrReplayed
	}
	return nil
}

// rig is a gateway behind a real HTTP server, with a server of a few tools.
type rig struct {
	*gateway.Gateway
	sessions *sessions
	server   *httptest.Server
	stop     context.CancelFunc
	ended    chan struct{}
	release  chan struct{} // ends calls of "slow"
	calls    sync.Map      // argument of "echo" -> *atomic.Int32: how often it ran
	callers  chan identity.Caller
	passed   atomic.Int32 // calls of "live" that were
}

type echoArgs struct {
	Text string `json:"text"`
	Size int    `json:"size,omitempty"`
}

func newRig(t testing.TB, change func(*gateway.Config)) *rig {
	t.Helper()
	r := &rig{
		sessions: &sessions{devices: map[identity.DeviceID]session.Session{}},
		ended:    make(chan struct{}),
		release:  make(chan struct{}),
		callers:  make(chan identity.Caller, 4096),
	}
	nonces := dpop.NewNonces([]byte("0123456789abcdef0123456789abcdef"), time.Minute)
	mux := http.NewServeMux()
	r.server = httptest.NewServer(mux)
	cfg := gateway.Config{
		Sessions:  r.sessions,
		Nonces:    nonces,
		Verifier:  dpop.NewVerifier(dpop.VerifierConfig{Nonces: nonces, Replay: &memory{}}),
		PublicURL: r.server.URL,
		Log:       slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	r.Gateway = gateway.New(cfg)
	r.Serve(r.tools())
	mux.Handle("GET "+wire.ConnectPath, r)
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { defer close(r.ended); _ = r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-r.ended:
		case <-time.After(20 * time.Second):
			t.Error("Run did not end")
		}
		r.server.Close()
	})
	for range 100 { // until Run accepts
		if res, err := http.Get(r.server.URL + wire.ConnectPath); err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable {
				break
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return r
}

func (r *rig) tools() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "rig", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo"}, func(ctx context.Context, _ *mcp.CallToolRequest, args echoArgs) (*mcp.CallToolResult, any, error) {
		who, _ := identity.From(ctx)
		select {
		case r.callers <- who:
		default:
		}
		n, _ := r.calls.LoadOrStore(args.Text, new(atomic.Int32))
		n.(*atomic.Int32).Add(1)
		return text(args.Text + strings.Repeat("x", args.Size)), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "live"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ echoArgs) (*mcp.CallToolResult, any, error) {
		who, _ := identity.From(ctx)
		if err := r.Live(ctx, who); err != nil {
			return nil, nil, errors.New(usererr.Text(err, ""))
		}
		r.passed.Add(1)
		return text("live"), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "slow"}, func(ctx context.Context, _ *mcp.CallToolRequest, args echoArgs) (*mcp.CallToolResult, any, error) {
		select {
		case <-r.release:
			return text(args.Text), nil, nil
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	})
	mcp.AddTool(server, &mcp.Tool{Name: "steps"}, func(ctx context.Context, req *mcp.CallToolRequest, args echoArgs) (*mcp.CallToolResult, any, error) {
		ctx = tool.Telling(ctx, req.Session, req.Params)
		for i := range 3 {
			tool.Log(ctx, "info", fmt.Sprint("log ", i+1))
			tool.Progress(ctx, float64(i+1), 3, fmt.Sprint("step ", i+1))
			select {
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			case <-time.After(300 * time.Millisecond):
			}
		}
		return text(args.Text), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "private"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ echoArgs) (*mcp.CallToolResult, any, error) {
		who, _ := identity.From(ctx)
		if who.Guest() {
			var err error
			if who, err = r.Await(ctx); err != nil {
				return nil, nil, errors.New(usererr.Text(err, ""))
			}
		}
		return text("hello " + string(who.Person)), nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "panic"}, func(context.Context, *mcp.CallToolRequest, echoArgs) (*mcp.CallToolResult, any, error) {
		panic("secret detail")
	})
	mcp.AddTool(server, &mcp.Tool{Name: "roots"}, func(ctx context.Context, req *mcp.CallToolRequest, _ echoArgs) (*mcp.CallToolResult, any, error) {
		//lint:ignore SA1019 any question of the server would do, and clients still answer this one
		roots, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		return text(roots.Roots[0].URI), nil, nil
	})
	return server
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

// shim speaks the wire as a shim does: it counts, keeps and resends.
type shim struct {
	t      testing.TB
	rig    *rig
	key    *ecdsa.PrivateKey
	device identity.DeviceID
	stream string
	raw    net.Conn // below the latest link

	mu       sync.Mutex
	conn     *wsconn.Conn
	sent     uint64
	received uint64
	tail     [][]byte
	open     map[string][]byte // requests without an answer, by id
	setup    [][]byte
	resumed  wire.Resume

	texts  chan []byte
	frames chan []byte
	gone   chan error
}

func (r *rig) shim(t testing.TB) *shim {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	thumb, err := dpop.Thumbprint(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return &shim{t: t, rig: r, key: key, device: identity.DeviceID(thumb), stream: identity.NewID("")[:20], open: map[string][]byte{},
		texts: make(chan []byte, 8192), frames: make(chan []byte, 1024), gone: make(chan error, 64)}
}

func (s *shim) proof(nonce string) string {
	p, err := dpop.Prove(s.key, dpop.Claims{Method: "GET", URL: s.rig.server.URL + wire.ConnectPath, Nonce: nonce})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// dial upgrades, answering the challenge for a nonce.
func (s *shim) dial() (*wsconn.Conn, error) {
	nonce := ""
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		conn, res, err := wsconn.Dial(ctx, "ws"+strings.TrimPrefix(s.rig.server.URL, "http")+wire.ConnectPath,
			wsconn.DialOptions{Header: http.Header{"Dpop": {s.proof(nonce)}}, NetDial: func(ctx context.Context, network, address string) (net.Conn, error) {
				var err error
				s.raw, err = new(net.Dialer).DialContext(ctx, network, address)
				return s.raw, err
			}})
		cancel()
		if err == nil {
			return conn, nil
		}
		if res == nil || res.StatusCode != http.StatusUnauthorized {
			if res != nil {
				return nil, fmt.Errorf("status %d: %w", res.StatusCode, err)
			}
			return nil, err
		}
		nonce = res.Header.Get(dpop.NonceHeader)
	}
	return nil, errors.New("still challenged")
}

// connect dials, says hello and puts a reader on the link.
func (s *shim) connect() wire.Resume {
	s.t.Helper()
	answer, err := s.tryConnect()
	if err != nil {
		s.t.Fatalf("connecting: %v", err)
	}
	return answer
}

func (s *shim) tryConnect() (wire.Resume, error) {
	conn, err := s.dial()
	if err != nil {
		return wire.Resume{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := conn.WriteBinary(wire.Encode(wire.KindHello, wire.Hello{Stream: s.stream, Received: s.received})); err != nil {
		return wire.Resume{}, err
	}
	_, frame, err := conn.Read()
	if err != nil {
		return wire.Resume{}, err
	}
	if wire.Kind(frame[0]) != wire.KindResume {
		return wire.Resume{}, fmt.Errorf("frame %q instead of resume", frame)
	}
	var answer wire.Resume
	if err := wire.Decode(frame[1:], &answer); err != nil {
		return wire.Resume{}, err
	}
	s.conn, s.resumed = conn, answer
	s.again(answer)
	go s.read(conn)
	return answer, nil
}

// again sends what the vault has not received, or replays.
func (s *shim) again(answer wire.Resume) {
	if answer.Resumed {
		s.trim(answer.Received)
		for _, data := range s.tail {
			_ = s.conn.WriteText(data)
		}
		return
	}
	replay := s.setup
	for _, data := range s.open {
		replay = append(replay[:len(replay):len(replay)], data)
	}
	s.received, s.sent, s.tail = 0, 0, nil
	if len(replay) > 0 {
		_ = s.conn.WriteBinary(wire.Encode(wire.KindReplay, wire.Replay{Frames: len(replay)}))
	}
	for _, data := range replay {
		s.sent++
		s.tail = append(s.tail, data)
		_ = s.conn.WriteText(data)
	}
}

func (s *shim) trim(n uint64) {
	s.tail = s.tail[uint64(len(s.tail))-(s.sent-n):]
}

func (s *shim) read(conn *wsconn.Conn) {
	for {
		isText, data, err := conn.Read()
		if err != nil {
			s.gone <- err
			return
		}
		data = append([]byte(nil), data...)
		if !isText {
			if wire.Kind(data[0]) == wire.KindAck {
				n, _ := wire.DecodeAck(data[1:])
				s.mu.Lock()
				if s.conn == conn {
					s.trim(n)
				}
				s.mu.Unlock()
				continue
			}
			s.frames <- data
			continue
		}
		s.mu.Lock()
		if s.conn != conn {
			s.mu.Unlock()
			return
		}
		s.received++
		n := s.received
		var m struct{ ID json.RawMessage }
		_ = json.Unmarshal(data, &m)
		delete(s.open, string(m.ID))
		s.mu.Unlock()
		if n%8 == 0 || n < 8 {
			_ = conn.WriteBinary(wire.EncodeAck(n))
		}
		s.texts <- data
	}
}

func (s *shim) send(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m struct {
		ID     json.RawMessage
		Method string
	}
	_ = json.Unmarshal([]byte(message), &m)
	switch {
	case m.Method == "initialize" || m.Method == "notifications/initialized":
		s.setup = append(s.setup, []byte(message))
	case m.ID != nil && m.Method != "":
		s.open[string(m.ID)] = []byte(message)
	}
	s.sent++
	s.tail = append(s.tail, []byte(message))
	if s.conn != nil {
		_ = s.conn.WriteText([]byte(message))
	}
}

// cut loses the link, as a network does.
func (s *shim) cut() {
	s.mu.Lock()
	conn := s.conn
	s.conn = nil
	s.mu.Unlock()
	if conn != nil {
		_ = conn.Close(wsconn.CodeNormal, "")
	}
}

type answer struct {
	ID     json.RawMessage
	Method string
	Result struct {
		IsError bool
		Content []struct{ Text string }
		Tools   []struct{ Name string }
	}
	Error *struct {
		Code    int
		Message string
	}
	Params json.RawMessage
}

func (a answer) text() string {
	if len(a.Result.Content) == 0 {
		return ""
	}
	return a.Result.Content[0].Text
}

// next returns the next message from the vault.
func (s *shim) next() answer {
	s.t.Helper()
	select {
	case data := <-s.texts:
		var a answer
		if err := json.Unmarshal(data, &a); err != nil {
			s.t.Fatalf("message %q: %v", data, err)
		}
		return a
	case <-time.After(time.Minute): // machines that run tests may be very busy
		s.t.Fatal("no message within a minute")
		panic("unreachable")
	}
}

func (s *shim) frame(kind wire.Kind, into any) {
	s.t.Helper()
	s.frameWithin(kind, into, time.Minute)
}

func (s *shim) frameWithin(kind wire.Kind, into any, within time.Duration) {
	s.t.Helper()
	late := time.After(within)
	for {
		select {
		case data := <-s.frames:
			if wire.Kind(data[0]) != kind {
				continue
			}
			if err := wire.Decode(data[1:], into); err != nil {
				s.t.Fatal(err)
			}
			return
		case <-late:
			s.t.Fatalf("no frame of kind %#x within %v", kind, within)
		}
	}
}

// initialize sets the conversation up.
func (s *shim) initialize() {
	s.t.Helper()
	s.send(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{"name":"t","version":"1"}}}`)
	if a := s.next(); a.Error != nil {
		s.t.Fatalf("initialize: %+v", a.Error)
	}
	s.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func toolCall(id, tool, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, args)
}
