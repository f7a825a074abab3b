package stream

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// MethodListen is the request that is answered when the conversation ends.
const MethodListen = "subscriptions/listen"

type streamKey struct{}

// Of says over which stream a request came in whose context ctx is, and from
// whom. s is nil for one that came another way; ok is false for that, and for
// one that was answered already.
func Of(ctx context.Context, req mcp.Request) (s *Stream, who identity.Caller, ok bool) {
	s, ok = ctx.Value(streamKey{}).(*Stream)
	if !ok {
		return nil, who, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	extra := req.GetExtra()
	if extra == nil || extra.TokenInfo == nil {
		return s, s.callerLocked(), true // a notification
	}
	call, ok := s.calls[extra.TokenInfo.UserID]
	return s, call.who, ok
}

// Connect hands a new stream to the SDK.
func (s *Stream) Connect(ctx context.Context, server *mcp.Server) error {
	ctx = context.WithValue(ctx, streamKey{}, s)
	session, err := server.Connect(ctx, transport{s}, nil)
	s.mu.Lock()
	s.life, s.sdk = ctx, session
	s.mu.Unlock()
	return err
}

// transport gives the SDK its end of a stream.
type transport struct{ s *Stream }

// Connect implements [mcp.Transport].
func (t transport) Connect(context.Context) (mcp.Connection, error) { return &conn{s: t.s}, nil }

// conn is the SDK's end of a stream. The SDK's one reading goroutine is the
// only one that a stream has; it ends when the stream is dropped.
type conn struct {
	s      *Stream
	closed bool // guarded by s.mu
}

// SessionID implements [mcp.Connection].
func (*conn) SessionID() string { return "" }

// Close implements [mcp.Connection]. The SDK calls it when nothing of the
// session runs any more.
func (c *conn) Close() error {
	c.s.Drop(1000, nil)
	c.s.mu.Lock()
	first := !c.closed
	c.closed = true
	c.s.mu.Unlock()
	if first {
		c.s.cfg.Host.Ended()
	}
	return nil
}

// Read implements [mcp.Connection]. It returns an error only when the stream
// has ended: a bad frame is answered, a lost link is waited out.
func (c *conn) Read(context.Context) (jsonrpc.Message, error) {
	for {
		l := c.s.next()
		if l == nil {
			return nil, io.EOF
		}
		text, data, err := l.conn.Read()
		switch {
		case text && errors.Is(err, wsconn.ErrMetered):
			c.s.overMeter(l, data)
		case err != nil:
			c.s.lose(l, err)
		case !text:
			c.s.control(l, data)
		default:
			if msg := c.s.accept(l, data); msg != nil {
				return msg, nil
			}
		}
	}
}

// accept counts a text frame and turns it into a message for the SDK, or
// answers it itself and returns nil.
func (s *Stream) accept(l *Link, data []byte) jsonrpc.Message {
	replayed, ok := s.count(l, len(data))
	if !ok {
		return nil
	}
	msg, answer, bad := s.names.Decode(data)
	if answer != nil {
		s.refuse(answer, bad)
		return nil
	}
	m, ok := msg.(*jsonrpc.Request)
	if !ok {
		return msg
	}
	key, bad := s.enter(m, l.address, replayed, len(data))
	if bad != nil {
		s.refuse(bad.Answer([]byte(key)), bad)
		return nil
	}
	if key == "" {
		if s.cancelled(m) {
			return nil
		}
		return m
	}
	if s.direct(m, key) {
		return nil
	}
	m.Extra = extra(key)
	return m
}

// overMeter answers a message of which only the ends were kept.
func (s *Stream) overMeter(l *Link, ends []byte) {
	replayed, ok := s.count(l, s.cfg.Guests.Message)
	if !ok {
		return
	}
	bad := tooMuchForGuests()
	if replayed {
		bad = message.TooMuch("whether this was carried out before is not known, and it is more than the vault takes from somebody who is not signed in; " +
			"sign in, which a call of coatcheck_status begins, and look before you ask again")
	}
	if id := s.names.Glimpse(ends); id != nil {
		s.refuse(bad.Answer(id), bad)
	}
}

func tooMuchForGuests() *message.Fault {
	return message.TooMuch("this is more than the vault takes from somebody who is not signed in; " +
		"sign in, which a call of coatcheck_status begins, then ask again")
}

// refuse answers a message that does not reach the SDK.
func (s *Stream) refuse(answer []byte, bad *message.Fault) {
	s.cfg.Log.Debug("message refused", "device", s.device, "stream", s.id, "err", bad.Text)
	_ = s.sendText(answer, "") // fails only when the stream has ended
}

// enter notes a call and who makes it, under the key that it returns. A
// notification has none.
func (s *Stream) enter(m *jsonrpc.Request, address string, replayed bool, size int) (key string, bad *message.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used, s.heard = true, time.Now()
	if !m.IsCall() {
		return "", nil
	}
	key = message.Key(m.ID)
	_, twice := s.calls[key]
	switch {
	case twice:
		return key, message.Invalid("a request with this id is still under way")
	case len(s.calls) >= wire.MaxInFlight:
		return key, message.TooMuch("too many requests at once; wait for some answers (limit " + strconv.Itoa(wire.MaxInFlight) + ")")
	case s.callBytes+size > wire.MaxUnacked:
		return key, message.TooMuch("the requests under way are too large together; wait for some answers")
	case s.guestLocked() && !s.takeLocked(size):
		return key, tooMuchForGuests()
	}
	if s.calls == nil {
		s.calls = map[string]call{}
	}
	who := s.callerLocked()
	who.Address, who.Call, who.Replayed = address, key, replayed
	s.calls[key] = call{who: who, bytes: size, begins: m.Method == methodInitialize, parked: m.Method == MethodListen}
	s.callBytes += size
	return key, nil
}

// Hold keeps the content of a tool's result back from the SDK until the answer
// to call is written. It returns what the SDK gets instead.
func (s *Stream) Hold(call string, result *mcp.CallToolResult) (*mcp.CallToolResult, error) {
	short, held, err := message.Hold(result)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.calls[call]; ok {
		c.held = held
		s.calls[call] = c
		return short, nil
	}
	return result, nil
}

// leaveLocked forgets a call that is answered now.
func (s *Stream) leaveLocked(key string) {
	c := s.calls[key]
	s.callBytes -= c.bytes
	if s.guestLocked() {
		s.giveLocked(c.bytes)
	}
	delete(s.calls, key)
	if len(s.calls) == 0 {
		s.calls = nil
	}
}

// Busy says how many calls somebody waits for, and whether an answer is still
// on its way.
func (s *Stream) Busy() (calls int, unheard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if !c.parked {
			calls++
		}
	}
	if s.sending {
		calls++ // at least one, whose answer is being written
	}
	return calls, s.link != nil && len(s.tail) > 0
}

// Quiet says whether no call is under way, not even one that waits for a
// sign-in, and when the shim last asked for something.
func (s *Stream) Quiet() (yes bool, heard time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls) == 0, s.heard
}

// Write implements [mcp.Connection].
func (c *conn) Write(_ context.Context, msg jsonrpc.Message) error {
	switch m := msg.(type) {
	case *jsonrpc.Request:
		return c.s.ask(m)
	case *jsonrpc.Response:
		return c.s.respond(m)
	}
	return nil
}

func (s *Stream) respond(m *jsonrpc.Response) error {
	if !m.ID.IsValid() {
		return nil
	}
	key := message.Key(m.ID)
	s.mu.Lock()
	held := s.calls[key].held
	s.settled = s.settled || s.calls[key].begins && m.Error == nil
	s.mu.Unlock()
	data, err := message.Answer(m, held)
	if err != nil {
		s.cfg.Log.Error("an answer cannot be encoded", "device", s.device, "stream", s.id, "call", key, "err", err)
	}
	return s.sendText(data, key)
}

// ask sends a request or notification of the vault.
func (s *Stream) ask(m *jsonrpc.Request) error {
	data, err := s.names.Encode(m)
	if errors.Is(err, message.ErrTooBig) {
		s.cfg.Log.Error("a message to a client is over the limit", "stream", s.id, "method", m.Method)
		return nil // like a client that never answers; breaking the stream would be worse
	}
	if err != nil {
		return err
	}
	return s.sendText(data, "")
}
