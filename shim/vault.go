package shim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/link"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

// Text implements [link.Stream]: it passes a message on, unless it was the
// shim's to know.
func (s *stream) Text(frame []byte) error {
	head, fault := s.scan.Glance(frame) // wsconn has seen that it is UTF-8
	s.mu.Lock()
	deliver := false
	var c *call
	if fault != nil {
		s.unreadableLocked(head, fault)
	} else {
		deliver, c = s.sortLocked(head, frame)
	}
	s.mu.Unlock()
	if c != nil && (c.kind == kindTools || c.answered) {
		s.learn(c, frame)
	}
	if !deliver {
		return nil
	}
	jsonline.Flatten(frame)
	if err := s.out.Put(frame); err != nil {
		return errors.New("the client takes no output")
	}
	return nil
}

// sortLocked decides whether a message is for the client. The call is the one
// that the message answers, if any.
func (s *stream) sortLocked(head jsonline.Head, frame []byte) (bool, *call) {
	if head.Kind != jsonline.Response {
		return !s.knownLocked(head, frame), nil
	}
	c := s.open[string(head.ID)]
	if c == nil {
		if string(head.ID) == s.setup.initID && s.setup.initialize != nil { // replayed
			return false, &call{id: s.setup.initID, kind: kindInitialize, message: s.setup.initialize, answered: true}
		}
		return false, nil // answered already, or nobody asked
	}
	s.closeLocked(c)
	switch {
	case c.answered && c.kind != kindListen, c.cancelled:
		return false, c
	case c.batch != nil:
		answer := bytes.Clone(frame)
		jsonline.Flatten(answer)
		c.batch.addLocked(s, answer)
		return false, c
	}
	return true, c
}

// knownLocked reports whether the client was told by the shim what the vault
// says now.
func (s *stream) knownLocked(head jsonline.Head, frame []byte) bool {
	if string(head.Method) != words.Acknowledged {
		return false
	}
	c := s.open[words.ParamsOf(frame).Subscription()]
	if c == nil || c.kind != kindListen {
		return c == nil
	}
	known := c.answered
	c.answered = true
	return known
}

// unreadableLocked is for a frame that is no message. If it was meant as an
// answer, the client gets another one.
func (s *stream) unreadableLocked(head jsonline.Head, fault *jsonline.Fault) {
	s.cfg.Log.Error("the vault sent something that is no message", "why", fault.Message)
	c := s.open[string(head.ID)]
	if c == nil || head.Method != nil || !c.message.Sent {
		return
	}
	if !s.waitedForLocked(c) {
		s.closeLocked(c)
		return
	}
	s.failLocked(c, usererr.New(usererr.Internal, "The vault sent an answer that cannot be read", "Tell the vault's administrator"))
}

// learn keeps the vault's answer to what the shim answers first, and tells the
// client what is different from what it was told.
func (s *stream) learn(c *call, frame []byte) {
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(frame, &answer) != nil {
		return
	}
	s.mu.Lock()
	u, revision := s.setup, s.revisionLocked()
	s.mu.Unlock()
	if answer.Result == nil {
		s.cfg.Log.Warn("the vault refused what the shim had answered", "code", answer.Error.Code)
		if c.kind == kindDiscover && !u.promised && (answer.Error.Code == words.CodeNoMethod || answer.Error.Code == words.CodeRevision) {
			s.misfit()
		}
		return
	}
	switch c.kind {
	case kindInitialize:
		if s.book.Keep(greeting.Initialize, u.asked, answer.Result) && !u.promise.Fits(greeting.ReadPromise(answer.Result)) {
			s.misfit()
		}
	case kindDiscover:
		if s.book.Keep(greeting.Discover, greeting.Stateless, answer.Result) && !u.promised && !u.stateless.Fits(greeting.ReadPromise(answer.Result)) {
			s.misfit()
		}
	case kindTools:
		p := words.ParamsOf(c.message.Data)
		if r := p.Tag(greeting.MetaRevision); r != "" {
			revision = r
		}
		if p.Cursor == "" && s.book.Keep(greeting.Tools, revision, answer.Result) && c.answered {
			s.compare(c, s.book.Known(greeting.Tools, revision))
		}
	case kindOther, kindTool, kindPrompts, kindResources, kindLevel, kindListen:
	}
}

// compare announces a list of tools that is not the one that was told.
func (s *stream) compare(c *call, now []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !bytes.Equal(c.told, now) {
		s.announceLocked(greeting.Lists{Tools: true})
	}
}

// misfit ends the conversation: what the client was told does not hold.
func (s *stream) misfit() {
	s.mu.Lock()
	s.dead = usererr.New(usererr.Version, "The vault now speaks another revision of MCP than this client was told", "Restart the client, or reload this server in it")
	s.failOpenLocked(s.dead, false)
	s.mu.Unlock()
	s.cfg.Log.Error("the vault does not fit what the client was told; the conversation is over")
	s.quit()
}

// failOpenLocked answers every call that somebody waits for; onlySent leaves
// those out that the vault cannot have.
func (s *stream) failOpenLocked(why *usererr.Error, onlySent bool) {
	for _, c := range s.open {
		if s.waitedForLocked(c) && (c.message.Sent || !onlySent) {
			s.failLocked(c, why)
		}
	}
}

// Frame implements [link.Stream].
func (s *stream) Frame(ctx context.Context, kind wire.Kind, body []byte) error {
	switch kind { //nolint:exhaustive // the others are the keeper's, or of files
	case wire.KindAck:
		n, err := wire.DecodeAck(body)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.box.Acknowledged(n) {
			return link.ErrNonsense
		}
	case wire.KindLoginRequired:
		var required wire.LoginRequired
		if err := wire.Decode(body, &required); err != nil {
			return err
		}
		if required.Call != "" {
			s.mu.Lock()
			s.waiting = required.Call
			s.mu.Unlock()
		}
		s.signin.Required(ctx, required.Tenant, false)
	case wire.KindLoginDone:
		var done wire.LoginDone
		if err := wire.Decode(body, &done); err != nil {
			return err
		}
		s.signin.Done(done)
		s.signInDone(done)
	default:
		return s.files.Frame(kind, body)
	}
	return nil
}
