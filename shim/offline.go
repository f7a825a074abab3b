package shim

import (
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

const (
	// Clients give up after 60 s, some of them before.
	callPatience = 22 * time.Second
	// listPatience is for what clients ask while they start, and for calls when
	// waiting is not expected to help.
	listPatience = 3 * time.Second
	sweepEvery   = 100 * time.Millisecond
)

// linkedLocked reports whether there is a link that takes new calls.
func (s *stream) linkedLocked() bool {
	return s.link != nil && s.link.Calls()
}

// wantLinkLocked is for a call that waits for a link.
func (s *stream) wantLinkLocked() {
	if s.keeper != nil {
		s.keeper.Kick()
	}
	if s.stopped {
		return
	}
	if s.sweeping == nil {
		s.sweeping = time.AfterFunc(sweepEvery, s.sweep)
		return
	}
	s.sweeping.Reset(sweepEvery)
}

// sweep answers the calls that waited long enough without a link, and comes
// back as long as there are others.
func (s *stream) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.linkedLocked() {
		return
	}
	now := time.Now()
	waiting := false
	for _, c := range s.open {
		if !s.waitedForLocked(c) {
			continue
		}
		since := c.arrived
		if s.downSince.After(since) {
			since = s.downSince
		}
		if now.Sub(since) >= s.patienceLocked(c) {
			s.failLocked(c, s.why)
		} else {
			waiting = true
		}
	}
	if waiting {
		s.sweeping.Reset(sweepEvery)
	}
}

// patienceLocked is how long c may wait for a link.
func (s *stream) patienceLocked(c *call) time.Duration {
	if c.kind == kindTools && s.book.Known(greeting.Tools, s.revisionLocked()) != nil {
		return sweepEvery
	}
	switch s.why.Code {
	case usererr.Unavailable, usererr.Timeout:
	default:
		return listPatience // trying again will not help soon
	}
	if c.patience == 0 {
		c.patience = callPatience
		if c.kind == kindTools || c.kind == kindPrompts || c.kind == kindResources || c.kind == kindListen || c.kind == kindTool && words.ParamsOf(c.message.Data).Name == greeting.StatusTool {
			c.patience = listPatience
		}
	}
	return c.patience
}

// failLocked answers c here. A list of tools is answered with the least there
// is, and a subscription is confirmed; both go to the vault all the same.
func (s *stream) failLocked(c *call, why *usererr.Error) {
	p := words.ParamsOf(c.message.Data)
	revision := p.Tag(greeting.MetaRevision)
	if revision == "" {
		revision = s.revisionLocked()
	}
	switch {
	case c.kind == kindTools && p.Cursor == "":
		c.answered, c.told = true, s.book.Known(greeting.Tools, revision)
		if c.told == nil {
			c.told = s.book.LeastTools(revision)
		}
		s.replyLocked(c, words.Success(c.id, c.told))
		return
	case c.kind == kindListen:
		c.answered = true
		s.out.Post(words.Confirmed(c.id, p.Changes))
		return
	}
	s.missed.Prompts = s.missed.Prompts || c.kind == kindPrompts
	s.missed.Resources = s.missed.Resources || c.kind == kindResources
	text := usererr.Text(why, "")
	s.closeLocked(c)
	if c.kind != kindTool {
		s.replyLocked(c, words.Failure(c.id, words.CodeUnavailable, text))
		return
	}
	if c.message.Sent {
		text = "The connection to the vault was lost while this ran, so whether it was carried out is not known. " + text +
			" Check the result before you ask again."
	}
	s.replyLocked(c, words.Success(c.id, s.book.CallFailed(text, revision)))
}

// unanswered is for what the vault had no time to answer before the client's
// input ended: that there is no link says more than that.
func (s *stream) unanswered() *usererr.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.linkedLocked() || s.why == nil {
		return usererr.New(usererr.Timeout, "The client ended its input before the vault had answered", "")
	}
	return usererr.New(s.why.Code, s.why.Message+", and the client ended its input meanwhile", s.why.Hint)
}

// failAll answers everything that somebody waits for.
func (s *stream) failAll(why *usererr.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failOpenLocked(why, false)
}

// listLocked answers a list of tools from memory while there is no link. The
// vault is asked all the same, and the client told if it says otherwise.
func (s *stream) listLocked(c *call) {
	if s.linkedLocked() {
		return
	}
	p := words.ParamsOf(c.message.Data)
	revision := p.Tag(greeting.MetaRevision)
	if revision == "" {
		revision = s.revisionLocked()
	}
	known := s.book.Known(greeting.Tools, revision)
	if p.Cursor != "" || known == nil {
		return
	}
	c.answered, c.told = true, known
	s.replyLocked(c, words.Success(c.id, known))
}

// announceLocked tells the client that lists are other ones now, in the ways
// that it asked for.
func (s *stream) announceLocked(changed greeting.Lists) {
	var all [][]byte
	if s.setup.initialized != nil {
		all = words.Changed(changed.And(s.setup.promise.Changes), "")
	}
	for _, c := range s.open {
		if c.kind == kindListen && !c.cancelled {
			all = append(all, words.Changed(changed.And(words.ParamsOf(c.message.Data).Changes), c.id)...)
		}
	}
	for _, m := range all {
		s.out.Post(m)
	}
}
