// Package notefile takes a file of C2SP signed notes apart, one of which may be
// only half there.
package notefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxNote bounds one note, in bytes.
const MaxNote = 4 << 10

// TooLongError says that a note is longer than [MaxNote].
type TooLongError struct {
	Line int // at which it begins
}

// Error implements error.
func (e *TooLongError) Error() string {
	return fmt.Sprintf("the note in line %d is too long", e.Line)
}

// Each calls each with every note of a file, with the number of its first line,
// also with what is only half a note. Notes are apart by an empty line, and the
// text of each begins with the line origin, or with origin and "/". It returns
// the error of each, or a [TooLongError].
func Each(file io.Reader, origin string, each func(line int, text []byte) error) error {
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, MaxNote)
	var text []byte
	begin, signed := 0, false // a signature was there
	flush := func() error {
		whole := text
		text, signed = nil, false
		if len(bytes.TrimSpace(whole)) == 0 {
			return nil
		}
		return each(begin, whole)
	}
	number := 0
	for lines.Scan() {
		number++
		line := lines.Bytes()
		signature := bytes.HasPrefix(line, []byte("— "))
		// Behind half a note the next one begins with its first line.
		if signed && !signature || string(line) == origin || bytes.HasPrefix(line, []byte(origin+"/")) {
			if err := flush(); err != nil {
				return err
			}
		}
		if len(text) == 0 {
			if len(line) == 0 {
				continue
			}
			begin = number
		}
		if text = append(append(text, line...), '\n'); len(text) > MaxNote {
			return &TooLongError{begin}
		}
		signed = signed || signature
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return &TooLongError{number + 1}
	} else if lines.Err() != nil {
		return fmt.Errorf("reading notes: %w", lines.Err())
	}
	return flush()
}
