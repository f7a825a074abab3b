package shim

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/outbox"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

// kind tells the requests that the shim does something about.
type kind uint8

const (
	kindOther kind = iota
	kindTool
	kindTools
	kindPrompts
	kindResources
	kindInitialize
	kindDiscover
	kindLevel
	kindListen
)

// fromClient takes a line. What it queues is sent by the next flush.
func (s *stream) fromClient(ctx context.Context, line jsonline.Line) {
	switch {
	case line.Long > 0:
		s.refuse(line, words.CodeLimit, "the message is "+strconv.FormatInt(line.Long, 10)+" bytes long; the limit is 8 MiB")
	case line.Fault == jsonline.ErrBatch && s.batches():
		s.batch(ctx, line)
	case line.Fault != nil:
		s.refuse(line, line.Fault.Code, line.Fault.Message)
	default:
		s.take(ctx, line, nil)
	}
}

// begin lets the first answer out if it was held, and only then the way to the
// vault be looked for.
func (s *stream) begin() {
	select {
	case <-s.began:
		return
	default:
	}
	s.out.Release()
	close(s.began)
	if s.cfg.Began != nil {
		s.cfg.Began()
	}
}

// take takes a message, which may be a part of a batch.
func (s *stream) take(ctx context.Context, line jsonline.Line, of *batch) {
	if line.Kind == jsonline.Response && words.Own(line.ID) {
		s.roots.Answer(string(line.ID), line.Text)
		return
	}
	if line.Kind == jsonline.Notification && string(line.Method) == words.Cancelled && s.cancel(line.Text) {
		return
	}
	if !s.waitRoom(ctx, len(line.Text)) {
		s.refuse(line, words.CodeLimit, "too much is waiting for the vault; wait for some answers")
		if line.Kind == jsonline.Request {
			s.mu.Lock()
			of.lessLocked(s)
			s.mu.Unlock()
		}
		return
	}
	m := &outbox.Message{Data: bytes.Clone(line.Text), Call: line.Kind == jsonline.Request}
	if line.Kind == jsonline.Request {
		s.request(line, m, of)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if string(line.Method) == words.Initialized {
		s.rememberLocked(&s.setup.initialized, m)
	}
	s.box.Put(m)
}

// refuse answers a line that goes no further. An id that belongs to a call
// under way is not answered twice; answers are never answered.
func (s *stream) refuse(line jsonline.Line, code int, why string) {
	s.cfg.Log.Warn("a message from the client was refused", "code", code, "why", why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if line.Kind == jsonline.Response && code == words.CodeLimit && line.ID != nil {
		// The vault waits for this answer and gets another one instead.
		s.box.Put(&outbox.Message{Data: words.Failure(string(line.ID), code, why)})
		return
	}
	if line.Kind == jsonline.Response || line.Kind == jsonline.Notification {
		return
	}
	id := string(line.ID)
	if s.open[id] != nil || id == "" {
		id = "null"
	}
	s.out.Post(words.Failure(id, code, why))
}

// request enters a call and queues it, unless it is answered here.
func (s *stream) request(line jsonline.Line, m *outbox.Message, of *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{id: string(line.ID), message: m, arrived: time.Now(), batch: of}
	switch {
	case s.open[c.id] != nil:
		of.lessLocked(s)
		s.out.Post(words.Failure("null", jsonline.CodeInvalid, "invalid request: a request with this id is still under way"))
		return
	case len(s.open) >= wire.MaxInFlight:
		s.replyLocked(c, words.Failure(c.id, words.CodeLimit, "too many requests at once; wait for some answers (limit "+strconv.Itoa(wire.MaxInFlight)+")"))
		return
	case s.linkedLocked() && string(line.Method) == words.CallTool:
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
	s.box.Use(c.message)
	s.box.Put(c.message)
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
	if words.Stateful(method) && words.ParamsOf(c.message.Data).Tag(greeting.MetaRevision) >= greeting.Stateless {
		s.replyLocked(c, words.Failure(c.id, words.CodeNoMethod, "there is no such method in this revision"))
		return true
	}
	switch method {
	case words.Initialize:
		return s.initializeLocked(c)
	case words.Discover:
		return s.discoverLocked(c)
	case words.Ping:
		if s.linkedLocked() {
			return false
		}
		if s.revisionLocked() == greeting.Stateless {
			s.replyLocked(c, words.Failure(c.id, words.CodeNoMethod, "there is no ping in this revision"))
		} else {
			s.replyLocked(c, words.Success(c.id, []byte("{}")))
		}
		return true
	case words.CallTool:
		c.kind = kindTool
	case words.ListTools:
		c.kind = kindTools
		s.listLocked(c)
	case words.ListPrompts:
		c.kind = kindPrompts
	case words.ListPages, words.ListKinds:
		c.kind, s.listed = kindResources, true
	case words.SetLevel:
		s.levelLocked(c)
	case words.Subscribe, words.Unsubscribe:
		uri := words.ParamsOf(c.message.Data).URI
		if method == words.Subscribe {
			s.subscribeLocked(uri, c.message)
		} else {
			s.unsubscribeLocked(uri)
		}
	case words.Listen:
		c.kind = kindListen
	}
	return false
}

// initializeLocked answers at once; the vault is asked too.
func (s *stream) initializeLocked(c *call) bool {
	asked := words.ParamsOf(c.message.Data)
	if asked.Revision == "" {
		s.replyLocked(c, words.Failure(c.id, words.CodeBadParams, "invalid params: protocolVersion is missing"))
		return true
	}
	c.kind, c.answered = kindInitialize, true
	result := s.book.Initialize(asked.Revision)
	s.setup.asked, s.setup.initID = asked.Revision, c.id
	s.setup.promise, s.setup.promised = greeting.ReadPromise(result), true
	s.setup.urls, s.setup.roots = asked.URLs, asked.Roots
	s.rememberLocked(&s.setup.initialize, c.message)
	s.replyLocked(c, words.Success(c.id, result))
	return false
}

// discoverLocked answers at once; the vault is asked too.
func (s *stream) discoverLocked(c *call) bool {
	p := words.ParamsOf(c.message.Data)
	switch revision := p.Tag(greeting.MetaRevision); {
	case revision == "" || revision == greeting.Stateless && p.Meta(greeting.MetaCapabilities) == nil:
		s.replyLocked(c, words.Failure(c.id, words.CodeBadParams, "invalid params: _meta must name the protocol version and the client's capabilities"))
		return true
	case slices.Contains(greeting.Stateful(), revision):
		s.replyLocked(c, words.Failure(c.id, words.CodeNoMethod, `"server/discover" is for revision `+greeting.Stateless+" and later"))
		return true
	case revision != greeting.Stateless:
		s.replyLocked(c, words.WrongRevision(c.id, revision))
		return true
	}
	c.kind, c.answered = kindDiscover, true
	result := s.book.Discover()
	s.setup.stateless = greeting.ReadPromise(result)
	s.replyLocked(c, words.Success(c.id, result))
	return false
}

// levelLocked notes which log messages the client wants.
func (s *stream) levelLocked(c *call) {
	c.kind = kindLevel
	s.setup.minimum = words.ParamsOf(c.message.Data).Level
	s.rememberLocked(&s.setup.level, c.message)
	if !s.linkedLocked() && s.revisionLocked() != greeting.Stateless {
		c.answered = true
		s.replyLocked(c, words.Success(c.id, []byte("{}")))
	}
}

// cancel ends the wait for a call. It returns true if the vault need not know.
func (s *stream) cancel(data []byte) bool {
	id := jsonline.ID(words.ParamsOf(data).RequestID)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open[string(id)]
	if c == nil || c.answered {
		return true
	}
	if !c.message.Sent {
		s.closeLocked(c)
		c.batch.lessLocked(s)
		return true
	}
	c.cancelled = true
	c.batch.lessLocked(s)
	c.batch = nil
	s.files.End(c.id)
	return false
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
