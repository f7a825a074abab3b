package message

import (
	"bytes"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const (
	maxID       = 512     // bytes of an id
	maxIDNumber = 1 << 53 // beyond, JSON numbers lose digits on their way through clients
	maxMembers  = 32      // of the message itself; JSON-RPC has five
)

// envelope is what a glance at a message tells: its members, raw, nil where
// there is none.
type envelope struct {
	version, id, method, params []byte
}

// scan looks at a message without decoding it: is it one object, not nested
// too deep, each member once, and what are they? It finds only the faults
// that decoders do not; they find the others.
func scan(data []byte) (envelope, *Fault) {
	s := scanner{data: data}
	s.space()
	if s.at >= len(data) {
		return envelope{}, parseError("empty message")
	}
	if data[s.at] == '[' {
		return envelope{}, Invalid("batches are not supported; send one message at a time")
	}
	if data[s.at] != '{' {
		return envelope{}, parseError("a message is a JSON object")
	}
	var found envelope
	bad := s.members(found.add)
	if bad != nil {
		return found, bad
	}
	if s.space(); s.at != len(data) {
		return found, parseError("something follows the message")
	}
	if found.id != nil && found.method != nil && !goodID(found.id) {
		return found, Invalid("an id is a string or an integer up to 2^53")
	}
	return found, nil
}

// goodID accepts what comes back from the SDK as it went in.
func goodID(id []byte) bool {
	if id[0] == '"' {
		return len(id) <= maxID
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	return err == nil && -maxIDNumber <= n && n <= maxIDNumber
}

type scanner struct {
	data []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// members reads the object at s, and gives each member to add.
func (s *scanner) members(add func(key, value []byte)) *Fault {
	seen := make([][]byte, 0, 8)
	s.at++
	for {
		if s.space(); s.at < len(s.data) && s.data[s.at] == '}' {
			s.at++
			return nil
		}
		if len(seen) > 0 {
			if s.at >= len(s.data) || s.data[s.at] != ',' {
				return parseError("a comma is missing")
			}
			s.at++
			s.space()
		}
		key, ok := s.text()
		if s.space(); !ok || s.at >= len(s.data) || s.data[s.at] != ':' {
			return parseError("a member has no name")
		}
		s.at++
		value, bad := s.value()
		if bad != nil {
			return bad
		}
		if len(seen) >= maxMembers || bytes.IndexByte(key, '\\') >= 0 {
			return Invalid("strange members")
		}
		for _, other := range seen {
			if bytes.Equal(other, key) {
				return Invalid("a member comes twice")
			}
		}
		add(key, value)
		seen = append(seen, key)
	}
}

func (e *envelope) add(key, value []byte) {
	switch string(key) {
	case "id":
		e.id = value
	case "jsonrpc":
		e.version = value
	case "method":
		e.method = value
	case "params":
		e.params = value
	}
}

// text reads a string and returns what is between its quotes.
func (s *scanner) text() ([]byte, bool) {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return nil, false
	}
	start := s.at + 1
	for from := start; ; {
		i := bytes.IndexByte(s.data[from:], '"')
		if i < 0 {
			return nil, false
		}
		end := from + i
		slashes := 0
		for s.data[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			s.at = end + 1
			return s.data[start:end], true
		}
		from = end + 1
	}
}

// value skips one value and returns its bytes.
func (s *scanner) value() ([]byte, *Fault) {
	s.space()
	start, depth := s.at, 1
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			if _, ok := s.text(); !ok {
				return nil, parseError("a string does not end")
			}
		case '{', '[':
			if depth++; depth > wire.MaxDepth {
				return nil, parseError("nested too deep")
			}
			s.at++
		case '}', ']':
			if depth == 1 {
				return s.scalar(start)
			}
			depth--
			s.at++
		case ',', ' ', '\t', '\r', '\n':
			if depth == 1 {
				return s.scalar(start)
			}
			s.at++
		default:
			s.at++
			continue
		}
		if depth == 1 && s.at > start {
			return s.data[start:s.at], nil
		}
	}
	return nil, parseError("the message does not end")
}

func (s *scanner) scalar(start int) ([]byte, *Fault) {
	if s.at == start {
		return nil, parseError("a value is missing")
	}
	return s.data[start:s.at], nil
}
