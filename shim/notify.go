package shim

import (
	"crypto/rand"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

// ownPrefix begins the ids of questions that the shim itself asks the client.
const ownPrefix = "coatcheck-shim-"

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
		s.told.elicitation = ownPrefix + rand.Text()
		s.postLocked(map[string]any{
			"jsonrpc": "2.0", "id": s.told.elicitation, "method": "elicitation/create",
			"params": map[string]any{"mode": "url", "elicitationId": s.told.elicitation, "url": state.URL, "message": text + "; open this link instead."},
		})
		return
	}
	s.logLocked("warning", text+"; open this link: "+state.URL)
}

// signInDone tells a client that was shown a link that it is no longer needed.
func (s *stream) signInDone(done wire.LoginDone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.told
	s.told = told{}
	if was.elicitation != "" {
		s.notifyLocked("notifications/elicitation/complete", map[string]any{"elicitationId": was.elicitation})
		return
	}
	if done.OK {
		s.logLocked("info", "Signed in to Confluence.")
	}
}

// logLocked sends a log message if the client takes such. In the stateless
// revision only a request that asks for it may cause one.
func (s *stream) logLocked(level, text string) {
	params := map[string]any{"level": level, "logger": "coatcheck", "data": text}
	if s.setup.promised {
		if s.setup.promise.Logging && enough(level, s.setup.minimum) {
			s.notifyLocked("notifications/message", params)
		}
		return
	}
	for _, c := range s.open {
		if minimum := paramsOf(c.message.data).meta(greeting.MetaLogLevel); minimum != "" && s.waitedForLocked(c) && enough(level, minimum) {
			s.notifyLocked("notifications/message", params)
			return
		}
	}
}

// enough reports whether level is as severe as minimum; "" is no minimum.
func enough(level, minimum string) bool {
	levels := []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"} // RFC 5424 §6.2.1
	return slices.Index(levels, level) >= slices.Index(levels, minimum)
}

func (s *stream) notifyLocked(method string, params any) {
	message := map[string]any{"jsonrpc": "2.0", "method": method}
	if params != nil {
		message["params"] = params
	}
	s.postLocked(message)
}

func (s *stream) postLocked(message any) {
	data, err := jsonline.Marshal(message)
	if err != nil {
		s.cfg.Log.Error("encoding a message", "err", err) // impossible: texts and ids
		return
	}
	s.out.Post(data)
}
