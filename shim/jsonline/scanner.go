package jsonline

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Kind is what a message is.
type Kind uint8

// The kinds of a message.
const (
	Invalid Kind = iota
	Request
	Notification
	Response
)

// Head is what a glance at a message tells. Its slices are valid until the
// scanner is used again.
type Head struct {
	Kind Kind
	// ID is the id as JSON text in one form for each value ("a" and "\u0061"
	// are one). It is nil where there is none that can be used.
	ID []byte
	// Method is the method without quotes; nil where there is none.
	Method []byte
	// Failed says that a response carries an error.
	Failed bool
}

// Fault is why a message is no message, as JSON-RPC 2.0 §5.1 says it.
type Fault struct {
	Code    int
	Message string
}

// Error implements error.
func (f *Fault) Error() string { return f.Message }

// The codes of JSON-RPC 2.0 §5.1 that a reader needs.
const (
	CodeParse   = -32700
	CodeInvalid = -32600
)

// What can be wrong with a message.
var (
	ErrSyntax  = &Fault{CodeParse, "parse error: this is not JSON"}
	ErrUTF8    = &Fault{CodeParse, "parse error: this is not UTF-8"}
	ErrDepth   = &Fault{CodeParse, "parse error: nested too deep (limit " + strconv.Itoa(wire.MaxDepth) + ")"}
	ErrBatch   = &Fault{CodeInvalid, "invalid request: batches are not supported; send one message at a time"}
	ErrID      = &Fault{CodeInvalid, "invalid request: an id is a string or an integer up to 2^53"}
	ErrMembers = &Fault{CodeInvalid, "invalid request: a member comes twice or has a strange name"}
	ErrMessage = &Fault{CodeInvalid, "invalid request: not a JSON-RPC 2.0 message"}
)

const (
	maxID       = 512
	maxMethod   = 128
	maxIDNumber = 1 << 53 // beyond, JSON numbers lose digits on their way through clients
)

// state is what a scanner expects next.
type state uint8

const (
	atStart    state = iota
	atValue          // a value must follow
	atFirst          // the first element of an array, or its end
	atFirstKey       // the first member of an object, or its end
	atKey            // a member must follow
	atColon
	afterValue // a comma or the end of what is open
	atEnd      // only white space may follow

	inString
	inEscape
	inHex
	inLiteral

	// Numbers, RFC 8259 §6; those that may end here come last.
	numSign
	numDot
	numExp
	numExpSign
	numZero
	numInt
	numFraction
	numExponent
)

// member says which member of the message itself is being read.
type member uint8

const (
	other member = iota
	memberVersion
	memberID
	memberMethod
	memberParams
	memberResult
	memberError
)

// text keeps the few bytes of a message that matter.
type text struct {
	n       int
	long    bool // some did not fit
	escaped bool
	buf     [maxID + 2]byte
}

func (t *text) add(b byte) {
	if t.n < len(t.buf) {
		t.buf[t.n] = b
		t.n++
		return
	}
	t.long = true
}

func (t *text) bytes() []byte { return t.buf[:t.n] }

func (t *text) reset() { t.n, t.long, t.escaped = 0, false, false }

// Scanner looks at one message, piece by piece, without decoding it: is it
// JSON (RFC 8259), one object, not too deep, and what are its id and method?
// It allocates nothing and keeps nothing else, however long the message is.
type Scanner struct {
	state   state
	fault   *Fault
	depth   int
	objects uint64 // bit i: the container at depth i+1 is an object
	hex     int    // digits still wanted
	literal string // what is still wanted of true, false or null
	key     bool   // the string being read is a member's name
	member  member
	seen    uint8 // bit by member
	keep    *text // where the bytes of the current value go; nil for nowhere
	batch   bool

	name, id, method, version text
	idBad, idDone             bool
}

// Reset makes s ready for another message.
func (s *Scanner) Reset() {
	s.state, s.fault, s.depth, s.objects, s.hex, s.literal = atStart, nil, 0, 0, 0, ""
	s.key, s.member, s.seen, s.keep, s.batch, s.idBad, s.idDone = false, other, 0, nil, false, false, false
	s.name.reset()
	s.id.reset()
	s.method.reset()
	s.version.reset()
}

// Write looks at the next piece of the message.
func (s *Scanner) Write(p []byte) {
	for i := 0; i < len(p) && s.fault == nil; i++ {
		if s.state == inString && s.keep == nil {
			if i += unremarkable(p[i:]); i == len(p) {
				return
			}
		}
		s.step(p[i])
	}
}

// unremarkable counts the bytes at the start of p, inside a string, that neither
// end it nor need a closer look.
func unremarkable(p []byte) int {
	i := plain(p)
	for i+1 < len(p) && p[i] == '\\' {
		switch p[i+1] {
		case 'n', '"', '\\', '/', 'r', 't', 'b', 'f':
		default:
			return i
		}
		i += 2
		i += plain(p[i:])
	}
	return i
}

// plain counts the bytes at the start of p that need no look inside a string:
// no quote, backslash or control character. It goes eight at a time.
func plain(p []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(p); i += 8 {
		w := binary.LittleEndian.Uint64(p[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A byte below n leaves its high bit in (w - n) &^ w; a borrow can only
		// come from a byte below that was found already.
		if found := ((w-ones*0x20)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// End says what the message was. The head has what could be seen even where
// there is a fault.
func (s *Scanner) End() (Head, *Fault) {
	head := Head{ID: s.goodID(), Method: s.methodName(), Failed: s.has(memberError)}
	switch {
	case s.fault != nil:
		return head, s.fault
	case s.state != atEnd:
		return head, ErrSyntax
	case s.batch:
		return head, ErrBatch
	case string(s.version.bytes()) != `"2.0"`:
		return head, ErrMessage
	case s.has(memberID) && head.ID == nil:
		return head, ErrID
	}
	switch called, answered := s.has(memberMethod), s.has(memberResult) != s.has(memberError); {
	case called && head.Method == nil, called && (s.has(memberResult) || s.has(memberError)):
	case called && head.ID != nil:
		head.Kind = Request
	case called:
		head.Kind = Notification
	case head.ID != nil && answered:
		head.Kind = Response
	}
	if head.Kind == Invalid {
		return head, ErrMessage
	}
	return head, nil
}

func (s *Scanner) has(m member) bool { return s.seen&(1<<m) != 0 }

// goodID is the id in its one form; nil if it cannot be used.
func (s *Scanner) goodID() []byte {
	id := s.id.bytes()
	if !s.idDone || s.idBad || s.id.long || len(id) == 0 {
		return nil
	}
	if id[0] == '"' {
		if s.id.escaped {
			return unescaped(id)
		}
		return id
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil || n < -maxIDNumber || n > maxIDNumber {
		return nil
	}
	return strconv.AppendInt(id[:0:len(s.id.buf)], n, 10)
}

// unescaped writes a string with as few escapes as JSON allows.
func unescaped(quoted []byte) []byte {
	var value string
	if json.Unmarshal(quoted, &value) != nil {
		return nil
	}
	out, err := Marshal(value)
	if err != nil || len(out) > maxID+2 {
		return nil
	}
	return out
}

func (s *Scanner) methodName() []byte {
	name := s.method.bytes()
	if s.method.long || len(name) < 3 || len(name) > maxMethod || name[0] != '"' || name[len(name)-1] != '"' {
		return nil
	}
	if s.method.escaped { // some languages write "tools\/call"
		var value string
		if json.Unmarshal(name, &value) != nil {
			return nil
		}
		return []byte(value)
	}
	return name[1 : len(name)-1]
}

// ID returns the one form of an id that stands somewhere else in a message,
// nil if it cannot be used.
func ID(raw []byte) []byte {
	var s Scanner
	s.Write([]byte(`{"id":`))
	s.Write(raw)
	s.Write([]byte(`}`))
	return s.goodID()
}
