package wsconn

import (
	"errors"
	"io"
)

// ErrMetered says that the meter had no room for a message. The bytes that
// come with it are the beginning and the end of the message, with a zero
// between them. The connection can be read on.
var ErrMetered = errors.New("no room for the message")

const (
	freshBuffer = 4 << 10
	glimpse     = 1 << 10 // of each end of a message without room
)

// Meter makes grant decide how much memory the messages of the peer may take.
// It is asked for the bytes that the message in arrival needs altogether, and
// returns at most that many; less means that there is no room for more. Asked
// for 0 it is told that the message is gone. It is called by the goroutine that
// reads, and must be set by it, or before it begins.
func (c *Conn) Meter(grant func(bytes int) int) { c.meter = grant }

// lend returns an empty buffer for the next message.
func (c *Conn) lend() *[]byte {
	buf, _ := shared.messages.Get().(*[]byte)
	if c.meter != nil && cap(*buf) > freshBuffer && c.meter(cap(*buf)) < cap(*buf) {
		shared.messages.Put(buf)
		fresh := make([]byte, 0, freshBuffer)
		buf = &fresh
		c.meter(freshBuffer)
	}
	*buf = (*buf)[:0]
	return buf
}

// readAll reads a message to its end. Where the meter has no room for it, it
// returns [ErrMetered] once it has seen all of it.
func (c *Conn) readAll(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			size := 2*cap(buf) + 512
			if c.meter != nil {
				size = c.meter(size)
			}
			if size <= len(buf) {
				return skim(r, buf)
			}
			grown := make([]byte, len(buf), size)
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

// skim reads the rest of a message, if there is one, without keeping it.
func skim(r io.Reader, message []byte) ([]byte, error) {
	end := append(make([]byte, 0, 2*glimpse), message[max(0, len(message)-glimpse):]...)
	head, more := message[:min(len(message), glimpse)], false
	for {
		if len(end) == cap(end) {
			end = end[:copy(end, end[glimpse:])]
		}
		n, err := r.Read(end[len(end):cap(end)])
		end = end[:len(end)+n]
		more = more || n > 0
		if errors.Is(err, io.EOF) && !more {
			return message, nil
		}
		if errors.Is(err, io.EOF) {
			return append(append(head, 0), end...), ErrMetered
		}
		if err != nil {
			return head, err
		}
	}
}
