// Package secret holds values that must never be seen: tokens, codes,
// verifiers, client secrets. A String prints as [redacted] through every verb
// of fmt, through log/slog and through every encoder, so a value that slips
// into a log line, an error or a page shows nothing. It knows nothing of what
// the values are for.
//
// The zero String is empty and ready to use. Strings may be copied and used
// from several goroutines.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every secret prints as.
const Redacted = "[redacted]"

// String is a secret text. Only [String.Reveal] gives the text back.
type String struct{ text string }

// New hides text.
func New(text string) String { return String{text} }

// Reveal returns the hidden text. Keep the result short-lived and away from
// errors and logs.
func (s String) Reveal() string { return s.text }

// Empty reports whether there is no text.
func (s String) Empty() bool { return s.text == "" }

// Equal compares two secrets in constant time for texts of one length.
func (s String) Equal(other String) bool {
	return subtle.ConstantTimeCompare([]byte(s.text), []byte(other.text)) == 1
}

// String implements fmt.Stringer.
func (String) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (String) GoString() string { return Redacted }

// Format implements fmt.Formatter, so that no verb reaches the text.
func (String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// LogValue implements slog.LogValuer.
func (String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON, XML and YAML
// encoders use.
func (String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalJSON implements json.Marshaler.
func (String) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }
