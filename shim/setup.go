package shim

import (
	"slices"

	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/outbox"
)

const maxSubscriptions = 256

// setup is what set a stateful conversation up and must be said again to a
// vault that knows nothing of it.
type setup struct {
	initialize  *outbox.Message
	initID      string // of initialize
	asked       string // the revision that the client asked for
	initialized *outbox.Message
	level       *outbox.Message // the latest logging/setLevel
	minimum     string          // … and what it said
	resources   []resource

	promise   greeting.Promise // what the client was told
	promised  bool
	stateless greeting.Promise // what server/discover was answered with
	urls      bool             // the client can show a URL to the person
	roots     bool             // … and tell the folders that it works in
}

// resource is a subscription to a resource.
type resource struct {
	uri     string
	message *outbox.Message
}

// messages lists them in their order.
func (u *setup) messages() []*outbox.Message {
	var all []*outbox.Message
	for _, m := range []*outbox.Message{u.initialize, u.initialized, u.level} {
		if m != nil {
			all = append(all, m)
		}
	}
	for _, r := range u.resources {
		all = append(all, r.message)
	}
	return all
}

// rememberLocked puts m in place of what stood at.
func (s *stream) rememberLocked(at **outbox.Message, m *outbox.Message) {
	s.box.Use(m)
	if *at != nil {
		s.box.Release(*at)
	}
	*at = m
}

// subscribeLocked remembers a subscription.
func (s *stream) subscribeLocked(uri string, m *outbox.Message) {
	s.unsubscribeLocked(uri)
	if len(s.setup.resources) >= maxSubscriptions {
		return
	}
	s.box.Use(m)
	s.setup.resources = append(s.setup.resources, resource{uri, m})
}

func (s *stream) unsubscribeLocked(uri string) {
	s.setup.resources = slices.DeleteFunc(s.setup.resources, func(r resource) bool {
		if r.uri == uri {
			s.box.Release(r.message)
		}
		return r.uri == uri
	})
}

// revisionLocked is the revision that the client speaks, as far as is known.
func (s *stream) revisionLocked() string {
	switch {
	case s.setup.promised:
		return s.setup.promise.Revision
	case len(s.setup.stateless.Versions) > 0:
		return greeting.Stateless
	}
	return greeting.Latest
}
