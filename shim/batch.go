package shim

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

// batch collects the answers to messages that came in one array, which only
// the revision 2025-03-26 knows. The vault gets them one by one. A nil batch
// is none. Its fields are guarded by stream.mu.
type batch struct {
	left    int // requests without an answer, and one until all were read
	answers [][]byte
	size    int
}

// batches reports whether the client's revision knows batches.
func (s *stream) batches() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setup.promised && s.setup.promise.Revision == greeting.Batching
}

// batch takes the messages of an array.
func (s *stream) batch(ctx context.Context, line jsonline.Line) {
	var parts []json.RawMessage
	if err := json.Unmarshal(line.Text, &parts); err != nil || len(parts) == 0 || len(parts) > wire.MaxInFlight {
		s.refuse(line, jsonline.CodeInvalid, "invalid request: a batch has one to 128 messages")
		return
	}
	all := &batch{left: 1}
	var scan jsonline.Scanner
	for _, part := range parts {
		head, fault := scan.Look(part)
		one := jsonline.Line{Head: head, Text: part, Fault: fault}
		if fault != nil || string(head.Method) == words.Initialize {
			s.refuse(one, jsonline.CodeInvalid, "invalid request: this may not be part of a batch")
			continue
		}
		if head.Kind == jsonline.Request {
			s.mu.Lock()
			all.left++
			s.mu.Unlock()
		}
		s.take(ctx, one, all)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all.lessLocked(s)
}

// addLocked adds an answer.
func (b *batch) addLocked(s *stream, answer []byte) {
	b.answers = append(b.answers, bytes.Clone(answer))
	b.size += len(answer)
	if b.size > wire.MaxMessage { // too much to hold: what there is goes first
		b.writeLocked(s)
	}
	b.lessLocked(s)
}

// lessLocked expects one answer less.
func (b *batch) lessLocked(s *stream) {
	if b == nil {
		return
	}
	if b.left--; b.left == 0 {
		b.writeLocked(s)
	}
}

func (b *batch) writeLocked(s *stream) {
	if len(b.answers) > 0 {
		s.out.Post(append(append([]byte{'['}, bytes.Join(b.answers, []byte{','})...), ']'))
	}
	b.answers, b.size = nil, 0
}
