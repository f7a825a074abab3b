package proof

import (
	"crypto/rand"
	"strings"
)

// The letters of a code, and how many it has (RFC 8628 §6.1): no vowels, so no
// words; 34 bits, which is much for who may guess a few times.
const (
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength  = 8
)

// NewCode returns a code that a person copies from a page to a terminal.
func NewCode() string {
	const fair = 256 / len(codeLetters) * len(codeLetters)
	code := make([]byte, 0, codeLength)
	for b := make([]byte, 1); len(code) < codeLength; {
		_, _ = rand.Read(b) // crypto/rand.Read never fails
		if int(b[0]) < fair {
			code = append(code, codeLetters[int(b[0])%len(codeLetters)])
		}
	}
	return string(code)
}

// ShowCode breaks a code in two, as people read it.
func ShowCode(code string) string { return code[:len(code)/2] + "-" + code[len(code)/2:] }

// TypedCode is a code as a person may have typed it: in small letters, with
// spaces and dashes.
func TypedCode(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\t' {
			return -1
		}
		return r
	}, strings.ToUpper(text))
}
