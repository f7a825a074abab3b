package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	methodListen    = "subscriptions/listen"
	methodCancelled = "notifications/cancelled"
)

// transport gives the SDK its end of a stream.
type transport struct{ s *stream }

// Connect implements [mcp.Transport].
func (t transport) Connect(context.Context) (mcp.Connection, error) { return &conn{s: t.s}, nil }

// conn is the SDK's end of a stream. The SDK's one reading goroutine is the
// only one that a stream has; it ends when the stream is dropped.
type conn struct {
	s      *stream
	closed bool // guarded by s.mu
}

// SessionID implements [mcp.Connection].
func (*conn) SessionID() string { return "" }

// Close implements [mcp.Connection]. The SDK calls it when nothing of the
// session runs any more.
func (c *conn) Close() error {
	c.s.drop(1000, nil)
	c.s.mu.Lock()
	first := !c.closed
	c.closed = true
	c.s.mu.Unlock()
	if first {
		c.s.g.tasks.Done()
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
func (s *stream) accept(l *link, data []byte) jsonrpc.Message {
	replayed, ok := s.count(l, len(data))
	if !ok {
		return nil
	}
	seen, bad := scan(data)
	if bad == nil {
		msg, err := jsonrpc.DecodeMessage(data)
		switch {
		case err != nil && !seen.method && seen.id != nil:
			return nil // an answer that is none; answers are never answered
		case err != nil:
			bad = invalidFault("not a JSON-RPC 2.0 message")
		default:
			return s.message(msg, l.address, replayed, len(data))
		}
	}
	if !bytes.HasPrefix(seen.id, []byte(`"`+s.epoch+".")) { // answers are never answered
		s.answer(seen.id, bad)
	}
	return nil
}

func (s *stream) message(msg jsonrpc.Message, address string, replayed bool, size int) jsonrpc.Message {
	switch m := msg.(type) {
	case *jsonrpc.Request:
		who, bad := s.enter(m, address, replayed, size)
		if bad != nil {
			s.answer([]byte(who.Call), bad)
			return nil
		}
		m.Extra = &mcp.RequestExtra{TokenInfo: &auth.TokenInfo{Extra: map[string]any{extraCaller: who, extraStream: s}}}
		return m
	case *jsonrpc.Response:
		return s.answered(m)
	}
	return nil
}

// enter notes a call and says who makes it.
func (s *stream) enter(m *jsonrpc.Request, address string, replayed bool, size int) (identity.Caller, *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.callerLocked()
	who.Address, who.Replayed = address, replayed
	s.used = true
	if !m.IsCall() {
		return who, nil
	}
	who.Call = idKey(m.ID)
	_, twice := s.calls[who.Call]
	switch {
	case twice:
		return who, invalidFault("a request with this id is still under way")
	case len(s.calls) >= wire.MaxInFlight:
		return who, &fault{codeLimit, "too many requests at once; wait for some answers (limit " + strconv.Itoa(wire.MaxInFlight) + ")"}
	case s.callBytes+size > wire.MaxUnacked:
		return who, &fault{codeLimit, "the requests under way are too large together; wait for some answers"}
	}
	if s.calls == nil {
		s.calls = map[string]call{}
	}
	s.calls[who.Call] = call{bytes: size, parked: m.Method == methodListen}
	s.callBytes += size
	return who, nil
}

// leave forgets a call that was answered.
func (s *stream) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callBytes -= s.calls[key].bytes
	delete(s.calls, key)
	if len(s.calls) == 0 {
		s.calls = nil
	}
}

// idKey is the JSON text of an id.
func idKey(id jsonrpc.ID) string {
	switch v := id.Raw().(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		text, err := json.Marshal(v)
		if err == nil {
			return string(text)
		}
	}
	return "null"
}

// answered maps the answer to one of our requests back. Answers to questions
// of an older stream, and to none, are ignored.
func (s *stream) answered(m *jsonrpc.Response) jsonrpc.Message {
	text, _ := m.ID.Raw().(string)
	number, ours := strings.CutPrefix(text, s.epoch+".")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ours || err != nil || strconv.FormatInt(n, 10) != number {
		return nil
	}
	id, err := jsonrpc.MakeID(float64(n))
	if err != nil {
		return nil
	}
	m.ID = id
	return m
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

func (s *stream) respond(m *jsonrpc.Response) error {
	if !m.ID.IsValid() {
		return nil
	}
	key := idKey(m.ID)
	defer s.leave(key)
	data, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		s.g.cfg.Log.Error("an answer cannot be encoded", "device", s.device, "stream", s.id, "call", key, "err", err)
		data = encodeFault([]byte(key), &fault{jsonrpc.CodeInternalError, "internal error: the answer cannot be encoded"})
	}
	if len(data) > wire.MaxMessage {
		data = encodeFault([]byte(key), &fault{codeLimit, "the answer is larger than 8 MiB, which is the limit; ask for less"})
	}
	return s.sendText(data)
}

// ask sends a request or notification of the vault. Its id names this stream,
// so that no answer from before a restart can pass for one to this question.
func (s *stream) ask(m *jsonrpc.Request) error {
	out := *m
	if m.IsCall() {
		id, err := jsonrpc.MakeID(s.epoch + "." + idKey(m.ID))
		if err != nil {
			return err
		}
		out.ID = id
	}
	if m.Method == methodCancelled {
		out.Params = s.renameCancelled(m.Params)
	}
	data, err := jsonrpc.EncodeMessage(&out)
	if err != nil {
		return err
	}
	if len(data) > wire.MaxMessage {
		s.g.cfg.Log.Error("a message to a client is over the limit", "stream", s.id, "method", m.Method)
		return nil // like a client that never answers; breaking the stream would be worse
	}
	return s.sendText(data)
}

// renameCancelled gives the request that the vault takes back the name under
// which the client knows it.
func (s *stream) renameCancelled(params json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(params, &members) != nil || bytes.HasPrefix(members["requestId"], []byte(`"`)) {
		return params
	}
	members["requestId"] = json.RawMessage(`"` + s.epoch + "." + string(members["requestId"]) + `"`)
	renamed, err := json.Marshal(members)
	if err != nil {
		return params
	}
	return renamed
}

// answer answers a message that does not reach the SDK.
func (s *stream) answer(id []byte, bad *fault) {
	s.g.cfg.Log.Debug("message refused", "device", s.device, "stream", s.id, "err", bad.message)
	_ = s.sendText(encodeFault(id, bad)) // fails only when the stream has ended
}

func encodeFault(id []byte, bad *fault) []byte {
	if len(id) == 0 || len(id) > maxID || !json.Valid(id) {
		id = []byte("null")
	}
	type failure struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	data, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   failure         `json:"error"`
	}{"2.0", id, failure{bad.code, bad.message}})
	if err != nil {
		panic("gateway: encoding an error: " + err.Error()) // impossible: the id is valid JSON
	}
	return data
}
