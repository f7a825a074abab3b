package jsonline

import "github.com/coatcheck-mcp/coatcheck/internal/wire"

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// step takes one byte.
func (s *Scanner) step(c byte) {
	switch {
	case s.state >= numSign:
		s.number(c)
	case s.state >= inString:
		s.inside(c)
	case space(c):
	default:
		s.between(c)
	}
}

// between takes a byte that is in no string, number or literal.
func (s *Scanner) between(c byte) {
	switch s.state {
	case atStart:
		if s.batch = c == '['; !s.batch && c != '{' {
			s.fault = ErrSyntax
			return
		}
		s.value(c)
	case atFirst:
		if c == ']' {
			s.close(c)
			return
		}
		s.value(c)
	case atValue:
		s.value(c)
	case atFirstKey, atKey:
		switch {
		case c == '}' && s.state == atFirstKey:
			s.close(c)
		case c == '"':
			s.state, s.key = inString, true
			if s.depth == 1 {
				s.name.reset()
				s.keep = &s.name
			}
		default:
			s.fault = ErrSyntax
		}
	case atColon:
		if c != ':' {
			s.fault = ErrSyntax
			return
		}
		s.state = atValue
	case afterValue:
		s.after(c)
	default:
		s.fault = ErrSyntax // something follows the message
	}
}

func (s *Scanner) after(c byte) {
	switch {
	case c != ',':
		s.close(c)
	case s.inObject():
		s.state = atKey
	default:
		s.state = atValue
	}
}

func (s *Scanner) inObject() bool { return s.objects&(1<<(s.depth-1)) != 0 }

// value begins a value.
func (s *Scanner) value(c byte) {
	if s.depth == 1 && !s.batch {
		s.choose(c)
	}
	if s.keep != nil {
		s.keep.add(c)
	}
	switch c {
	case '{', '[':
		s.open(c)
	case '"':
		s.state, s.key = inString, false
	case 't':
		s.state, s.literal = inLiteral, "rue"
	case 'f':
		s.state, s.literal = inLiteral, "alse"
	case 'n':
		s.state, s.literal = inLiteral, "ull"
	case '-':
		s.state = numSign
	case '0':
		s.state = numZero
	default:
		if c < '1' || c > '9' {
			s.fault = ErrSyntax
			return
		}
		s.state = numInt
	}
}

// choose decides whether the value that begins with c is kept.
func (s *Scanner) choose(c byte) {
	s.keep = nil
	switch s.member {
	case memberVersion:
		s.keep = &s.version
	case memberID:
		if s.idBad = c != '"' && c != '-' && (c < '0' || c > '9'); !s.idBad {
			s.keep = &s.id
		}
	case memberMethod:
		if c == '"' {
			s.keep = &s.method
		}
	case other, memberParams, memberResult, memberError:
	}
}

func (s *Scanner) open(c byte) {
	s.keep = nil
	if s.depth == wire.MaxDepth {
		s.fault = ErrDepth
		return
	}
	if c == '{' {
		s.objects |= 1 << s.depth
		s.state = atFirstKey
	} else {
		s.objects &^= 1 << s.depth
		s.state = atFirst
	}
	s.depth++
}

func (s *Scanner) close(c byte) {
	if s.inObject() != (c == '}') || c != '}' && c != ']' {
		s.fault = ErrSyntax
		return
	}
	s.depth--
	s.ended()
}

// ended is called after each value.
func (s *Scanner) ended() {
	s.keep = nil
	s.state = afterValue
	switch s.depth {
	case 0:
		s.state = atEnd
	case 1:
		s.idDone = s.idDone || s.member == memberID
	}
}

// inside takes a byte of a string or literal.
func (s *Scanner) inside(c byte) {
	if s.keep != nil && (c != '"' || s.state == inEscape || !s.key) {
		s.keep.add(c)
	}
	switch s.state {
	case inString:
		switch {
		case c == '"' && s.key:
			s.named()
		case c == '"':
			s.ended()
		case c == '\\':
			s.state = inEscape
			if s.keep != nil {
				s.keep.escaped = true
			}
		case c < 0x20:
			s.fault = ErrSyntax
		}
	case inEscape:
		s.escape(c)
	case inHex:
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			s.fault = ErrSyntax
			return
		}
		if s.hex--; s.hex == 0 {
			s.state = inString
		}
	default: // inLiteral
		if c != s.literal[0] {
			s.fault = ErrSyntax
			return
		}
		if s.literal = s.literal[1:]; s.literal == "" {
			s.ended()
		}
	}
}

func (s *Scanner) escape(c byte) {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.state = inString
	case 'u':
		s.state, s.hex = inHex, 4
	default:
		s.fault = ErrSyntax
	}
}

// named is called after the name of a member.
func (s *Scanner) named() {
	s.state, s.keep = atColon, nil
	if s.depth != 1 {
		return
	}
	s.member = other
	switch string(s.name.bytes()) {
	case "jsonrpc":
		s.member = memberVersion
	case "id":
		s.member = memberID
	case "method":
		s.member = memberMethod
	case "params":
		s.member = memberParams
	case "result":
		s.member = memberResult
	case "error":
		s.member = memberError
	default:
		if s.name.escaped && !s.batch {
			s.fault = ErrMembers // it may be one of the above in disguise
		}
		return
	}
	if s.has(s.member) {
		s.fault = ErrMembers
		s.idBad = true // there may be two of them
	}
	s.seen |= 1 << s.member
}

// number takes a byte of a number, or the first one after it.
func (s *Scanner) number(c byte) {
	var next state
	digit := c >= '0' && c <= '9'
	switch {
	case s.state == numSign && c == '0':
		next = numZero
	case s.state == numSign && digit, s.state == numInt && digit:
		next = numInt
	case s.state == numDot && digit, s.state == numFraction && digit:
		next = numFraction
	case (s.state == numExp || s.state == numExpSign || s.state == numExponent) && digit:
		next = numExponent
	case s.state == numExp && (c == '+' || c == '-'):
		next = numExpSign
	case (s.state == numZero || s.state == numInt) && c == '.':
		next = numDot
	case (s.state == numZero || s.state == numInt || s.state == numFraction) && (c == 'e' || c == 'E'):
		next = numExp
	case s.state >= numZero:
		s.ended()
		s.step(c)
		return
	default:
		s.fault = ErrSyntax
		return
	}
	s.state = next
	if s.keep != nil {
		s.keep.add(c)
	}
}
