package gateway_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reference is what a person may name to an administrator, another each time.
var reference = regexp.MustCompile(`x_[\w-]+`)

// whole returns the next message as it came.
func (s *shim) whole() any {
	s.t.Helper()
	select {
	case data := <-s.texts:
		var v any
		if err := json.Unmarshal(reference.ReplaceAll(data, nil), &v); err != nil {
			s.t.Fatalf("message %q: %v", data, err)
		}
		return v
	case <-time.After(time.Minute):
		s.t.Fatal("no message within a minute")
		panic("unreachable")
	}
}

// roundabout makes a call one that the SDK's connection handles.
func roundabout(call string) string {
	return strings.TrimSuffix(call, "}}") + `,"x":1}}`
}

// TestBothWaysAnswerTheSame makes each call directly and through the SDK's
// connection.
func TestBothWaysAnswerTheSame(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "ada")
	s.connect()
	s.initialize()
	for name, call := range map[string]string{
		"an echo":         toolCall("5", "echo", `{"text":"a<b>&\u2028\"é"}`),
		"a long answer":   toolCall("5", "echo", `{"text":"t","size":100000}`),
		"an id of text":   toolCall(`"a\u0062<"`, "echo", `{"text":"t"}`),
		"bad arguments":   toolCall("5", "echo", `{"text":7}`),
		"unknown ones":    toolCall("5", "echo", `{"text":"t","y":1}`),
		"no object":       toolCall("5", "echo", `[1]`),
		"no such tool":    toolCall("5", "nothing", `{}`),
		"a panic":         toolCall("5", "panic", `{"text":""}`),
		"who is there":    toolCall("5", "private", `{"text":""}`),
		"an error":        toolCall("5", "roots", `{"text":7}`),
		"metadata":        strings.Replace(toolCall("5", "echo", `{"text":"t"}`), `"name"`, `"_meta":{"progressToken":"p","n":1.5},"name"`, 1),
		"without any":     `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"private"}}`,
		"too long answer": toolCall("5", "echo", `{"text":"t","size":9000000}`),
	} {
		t.Run(name, func(t *testing.T) {
			s.send(call)
			direct := s.whole()
			s.send(roundabout(call))
			if diff := cmp.Diff(s.whole(), direct); diff != "" {
				t.Errorf("the answers differ (-SDK +direct): %.2000s", diff)
			}
		})
	}
}

// TestCancelledCalls ends a call both ways.
func TestCancelledCalls(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "ada")
	s.connect()
	s.initialize()
	for name, call := range map[string]string{"direct": toolCall(`"a"`, "slow", `{"text":""}`), "roundabout": roundabout(toolCall(`"a"`, "slow", `{"text":""}`))} {
		t.Run(name, func(t *testing.T) {
			s.send(call)
			s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"b"}}`)
			s.send(toolCall("7", "echo", `{"text":"not that one"}`))
			if a := s.next(); string(a.ID) != "7" {
				t.Fatalf("the answer is %+v", a)
			}
			s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a","reason":"enough"}}`)
			if a := s.next(); string(a.ID) != `"a"` || a.Error == nil && !a.Result.IsError {
				t.Errorf("the answer is %+v", a)
			}
			s.send(toolCall(`"a"`, "echo", `{"text":"again"}`))
			if a := s.next(); a.text() != "again" {
				t.Errorf("the id cannot be used again: %+v", a)
			}
		})
	}
}

// TestARevokedCallEnds has a call under way whose session goes away.
func TestARevokedCallEnds(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "ada")
	s.connect()
	s.initialize()
	s.send(toolCall("5", "slow", `{"text":""}`))
	s.send(toolCall("6", "echo", `{"text":""}`))
	if a := s.next(); string(a.ID) != "6" {
		t.Fatalf("the answer is %+v", a)
	}
	r.sessions.revoke(s.device)
	select {
	case <-s.gone:
	case <-time.After(time.Minute):
		t.Fatal("the stream lives on")
	}
	r.stop()
	select { // which waits for the call
	case <-r.ended:
	case <-time.After(time.Minute):
		t.Fatal("the call lives on")
	}
}

// TestNoCallBeforeTheConversation: a call without initialize is refused as ever.
func TestNoCallBeforeTheConversation(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "ada")
	s.connect()
	s.send(toolCall("5", "echo", `{"text":"t"}`))
	if a := s.next(); a.Error == nil {
		t.Errorf("the answer is %+v", a)
	}
}
