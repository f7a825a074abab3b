package shim

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

// kind tells the requests that the shim does something about.
type kind uint8

const (
	kindOther kind = iota
	kindTool
	kindTools
	kindInitialize
	kindDiscover
	kindLevel
	kindListen
)

// JSON-RPC codes besides those of jsonline: two of the standard, two of ours
// that the vault uses too.
const (
	codeNoMethod    = -32601
	codeBadParams   = -32602
	codeRevision    = -32022 // MCP, from the stateless revision on
	codeLimit       = -32010
	codeUnavailable = -32013
)

// fromClient takes a line. What it queues is sent by the next flush.
func (s *stream) fromClient(ctx context.Context, line jsonline.Line) {
	s.begin()
	switch {
	case line.Long > 0:
		s.refuse(line, codeLimit, "the message is "+strconv.FormatInt(line.Long, 10)+" bytes long; the limit is 8 MiB")
	case line.Fault == jsonline.ErrBatch && s.batches():
		s.batch(ctx, line)
	case line.Fault != nil:
		s.refuse(line, line.Fault.Code, line.Fault.Message)
	default:
		s.take(ctx, line, nil)
	}
}

// begin lets the way to the vault be looked for.
func (s *stream) begin() {
	select {
	case <-s.began:
	default:
		close(s.began)
	}
}

// take takes a message, which may be a part of a batch.
func (s *stream) take(ctx context.Context, line jsonline.Line, of *batch) {
	if line.Kind == jsonline.Response && s.answeredHere(line) {
		return
	}
	if line.Kind == jsonline.Notification && string(line.Method) == "notifications/cancelled" && s.cancel(line.Text) {
		return
	}
	if !s.waitRoom(ctx, len(line.Text)) {
		s.refuse(line, codeLimit, "too much is waiting for the vault; wait for some answers")
		if line.Kind == jsonline.Request {
			s.mu.Lock()
			of.lessLocked(s)
			s.mu.Unlock()
		}
		return
	}
	m := &message{data: bytes.Clone(line.Text)}
	if line.Kind == jsonline.Request {
		s.request(line, m, of)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(line.Method) == "notifications/initialized" {
		s.rememberLocked(&s.setup.initialized, m)
	}
	s.enqueueLocked(m)
}

// refuse answers a line that goes no further. An id that belongs to a call
// under way is not answered twice; answers are never answered.
func (s *stream) refuse(line jsonline.Line, code int, why string) {
	s.cfg.Log.Warn("a message from the client was refused", "code", code, "why", why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if line.Kind == jsonline.Response && code == codeLimit && line.ID != nil {
		// The vault waits for this answer and gets another one instead.
		s.enqueueLocked(&message{data: failure(string(line.ID), code, why)})
		return
	}
	if line.Kind == jsonline.Response || line.Kind == jsonline.Notification {
		return
	}
	id := string(line.ID)
	if s.open[id] != nil || id == "" {
		id = "null"
	}
	s.out.Post(failure(id, code, why))
}

// request enters a call and queues it, unless it is answered here.
func (s *stream) request(line jsonline.Line, m *message, of *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{id: string(line.ID), message: m, arrived: time.Now(), batch: of}
	m.call = c
	switch {
	case s.open[c.id] != nil:
		of.lessLocked(s)
		s.out.Post(failure("null", jsonline.CodeInvalid, "invalid request: a request with this id is still under way"))
		return
	case len(s.open) >= wire.MaxInFlight:
		s.replyLocked(c, failure(c.id, codeLimit, "too many requests at once; wait for some answers (limit "+strconv.Itoa(wire.MaxInFlight)+")"))
		return
	case s.linkedLocked() && string(line.Method) == "tools/call":
		c.kind = kindTool // the one that must be fast
	case s.answerLocked(c, string(line.Method)):
		return
	}
	s.enterLocked(c)
}

// enterLocked makes c a call under way.
func (s *stream) enterLocked(c *call) {
	s.seq++
	c.seq = s.seq
	s.open[c.id] = c
	s.useLocked(c.message)
	s.enqueueLocked(c.message)
	switch {
	case !s.waitedForLocked(c):
	case s.dead != nil:
		s.failLocked(c, s.dead)
	case !s.linkedLocked():
		s.wantLinkLocked()
	}
}

// answerLocked does what the shim does itself about a request. It returns true
// if the vault is not to see it.
func (s *stream) answerLocked(c *call, method string) bool {
	switch method {
	case "initialize":
		return s.initializeLocked(c)
	case "server/discover":
		return s.discoverLocked(c)
	case "ping":
		if s.linkedLocked() {
			return false
		}
		if s.revisionLocked() == greeting.Stateless {
			s.replyLocked(c, failure(c.id, codeNoMethod, "there is no ping in this revision"))
		} else {
			s.replyLocked(c, success(c.id, []byte("{}")))
		}
		return true
	case "tools/call":
		c.kind = kindTool
	case "tools/list":
		c.kind = kindTools
		s.listLocked(c)
	case "logging/setLevel":
		s.levelLocked(c)
	case "resources/subscribe", "resources/unsubscribe":
		uri := paramsOf(c.message.data).URI
		if method == "resources/subscribe" {
			s.subscribeLocked(uri, c.message)
		} else {
			s.unsubscribeLocked(uri)
		}
	case "subscriptions/listen":
		c.kind = kindListen
	}
	return false
}

// params is what the shim reads of some rare requests.
type params struct {
	Revision     string `json:"protocolVersion"`
	Capabilities struct {
		Elicitation map[string]json.RawMessage `json:"elicitation"`
	} `json:"capabilities"`
	Meta          map[string]json.RawMessage `json:"_meta"`
	URI           string                     `json:"uri"`
	Level         string                     `json:"level"`
	Name          string                     `json:"name"`
	Cursor        string                     `json:"cursor"`
	RequestID     json.RawMessage            `json:"requestId"`
	Notifications struct {
		Tools bool `json:"toolsListChanged"`
	} `json:"notifications"`
}

// paramsOf reads the parameters of a message; what does not fit stays empty.
func paramsOf(data []byte) params {
	var m struct {
		Params params `json:"params"`
	}
	_ = json.Unmarshal(data, &m) // the vault complains about what does not fit
	return m.Params
}

// meta is a text in _meta.
func (p params) meta(name string) string {
	var text string
	_ = json.Unmarshal(p.Meta[name], &text) // absent, or no text: ""
	return text
}

// initializeLocked answers at once; the vault is asked too.
func (s *stream) initializeLocked(c *call) bool {
	asked := paramsOf(c.message.data)
	if asked.Revision == "" {
		s.replyLocked(c, failure(c.id, codeBadParams, "invalid params: protocolVersion is missing"))
		return true
	}
	c.kind, c.answered = kindInitialize, true
	result := s.book.Initialize(asked.Revision)
	s.setup.asked, s.setup.initID = asked.Revision, c.id
	s.setup.promise, s.setup.promised = greeting.ReadPromise(result), true
	_, s.setup.urls = asked.Capabilities.Elicitation["url"]
	s.rememberLocked(&s.setup.initialize, c.message)
	s.replyLocked(c, success(c.id, result))
	return false
}

// discoverLocked answers at once; the vault is asked too.
func (s *stream) discoverLocked(c *call) bool {
	switch revision := paramsOf(c.message.data).meta(greeting.MetaRevision); {
	case revision == "" || slices.Contains(greeting.Stateful(), revision):
		s.replyLocked(c, failure(c.id, codeNoMethod, `"server/discover" is for revision `+greeting.Stateless+" and later"))
		return true
	case revision != greeting.Stateless:
		s.replyLocked(c, wrongRevision(c.id, revision))
		return true
	}
	c.kind, c.answered = kindDiscover, true
	result := s.book.Discover()
	s.setup.stateless = greeting.ReadPromise(result)
	s.replyLocked(c, success(c.id, result))
	return false
}

// levelLocked notes which log messages the client wants.
func (s *stream) levelLocked(c *call) {
	c.kind = kindLevel
	s.setup.minimum = paramsOf(c.message.data).Level
	s.rememberLocked(&s.setup.level, c.message)
	if !s.linkedLocked() && s.revisionLocked() != greeting.Stateless {
		c.answered = true
		s.replyLocked(c, success(c.id, []byte("{}")))
	}
}

// cancel ends the wait for a call. It returns true if the vault need not know.
func (s *stream) cancel(data []byte) bool {
	id := jsonline.ID(paramsOf(data).RequestID)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open[string(id)]
	if c == nil || c.answered {
		return true
	}
	if !c.message.sent {
		s.closeLocked(c)
		c.batch.lessLocked(s)
		return true
	}
	c.cancelled = true
	c.batch.lessLocked(s)
	c.batch = nil
	return false
}

// answeredHere takes the answer to a question that the shim itself asked.
func (s *stream) answeredHere(line jsonline.Line) bool {
	return strings.HasPrefix(string(line.ID), `"`+ownPrefix)
}

// replyLocked gives the client an answer that was made here.
func (s *stream) replyLocked(c *call, answer []byte) {
	if c.batch != nil {
		c.batch.addLocked(s, answer)
		c.batch = nil
		return
	}
	s.out.Post(answer)
}

func success(id string, result []byte) []byte {
	return slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), []byte(id), []byte(`,"result":`), result, []byte(`}`))
}

func failure(id string, code int, message string) []byte {
	text, err := jsonline.Marshal(message)
	if err != nil {
		text = []byte(`"error"`) // impossible: texts can be encoded
	}
	return slices.Concat([]byte(`{"jsonrpc":"2.0","id":`), []byte(id), []byte(`,"error":{"code":`), strconv.AppendInt(nil, int64(code), 10),
		[]byte(`,"message":`), text, []byte(`}}`))
}

func wrongRevision(id, asked string) []byte {
	out, err := jsonline.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": json.RawMessage(id),
		"error": map[string]any{
			"code": codeRevision, "message": "unsupported protocol version",
			"data": map[string]any{"supported": append([]string{greeting.Stateless}, greeting.Stateful()...), "requested": asked},
		},
	})
	if err != nil {
		return failure(id, codeRevision, "unsupported protocol version")
	}
	return out
}
