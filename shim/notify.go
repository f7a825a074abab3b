package shim

import (
	"crypto/rand"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

// told is what the client was told about the sign-in that is open.
type told struct {
	url         string // the link that was shown
	elicitation string // … by a question of this id; "" for a log message
}

// signInChanged tells the client where to sign in when no tab could be opened.
func (s *stream) signInChanged(state signin.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state.Phase != signin.Open || !state.Unopened || state.URL == "" || state.URL == s.told.url {
		return
	}
	s.told = told{url: state.URL}
	const text = "Sign in to Confluence to go on. No browser could be opened here"
	if s.setup.promised && s.setup.urls {
		question, id := words.AskToOpen(rand.Text(), state.URL, text+"; open this link instead.")
		s.told.elicitation = id
		s.out.Post(question)
		return
	}
	if c := s.askableLocked(); c != nil {
		// The call comes again, under another id, when the person has the link.
		s.putBackLocked(c, words.AskInAnswer(c.id, rand.Text(), state.URL, text+"; open this link instead."))
		return
	}
	s.logLocked("warning", text+"; open this link: "+state.URL)
}

// askableLocked is the call that waits for the sign-in at the vault, in the
// stateless revision, if its client can show a link; else nil.
func (s *stream) askableLocked() *call {
	c := s.open[s.waiting]
	if s.setup.promised || c == nil || c.kind != kindTool || !s.waitedForLocked(c) || !words.ParamsOf(c.message.Data).ShowsLinks() {
		return nil
	}
	return c
}

// signInDone tells a client that was shown a link that it is no longer needed.
func (s *stream) signInDone(done wire.LoginDone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.told
	s.told = told{}
	if done.OK && s.listed {
		s.announceLocked(greeting.Lists{Resources: true})
	}
	if was.elicitation != "" {
		s.out.Post(words.OpenNoMore(was.elicitation))
		return
	}
	if done.OK {
		s.logLocked("info", "Signed in to Confluence.")
	}
}

// logLocked sends a log message if the client takes such. In the stateless
// revision only a request that asks for it may cause one.
func (s *stream) logLocked(level, text string) {
	if s.setup.promised {
		if s.setup.promise.Logging && words.Severe(level, s.setup.minimum) {
			s.out.Post(words.Log(level, text))
		}
		return
	}
	for _, c := range s.open {
		if minimum := words.ParamsOf(c.message.Data).Tag(greeting.MetaLogLevel); minimum != "" && s.waitedForLocked(c) && words.Severe(level, minimum) {
			s.out.Post(words.Log(level, text))
			return
		}
	}
}
