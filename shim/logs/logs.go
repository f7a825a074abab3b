// Package logs writes what a shim has to say to stderr and to a file in the
// log folder of the operating system. Both are a courtesy: a full pipe, a full
// disk or a folder that cannot be written costs lines, never time and never
// the program. Several processes share one file; it is kept small by setting
// it aside, under a lock, when it has grown.
//
// MCP clients capture stderr, and some keep it without bound: only warnings go
// there, unless a person is looking.
package logs

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Limits of everything that is kept or waited for.
const (
	maxLine   = 8 << 10
	maxQueue  = 256 // lines that wait for a sink; further ones are lost, and counted
	farewell  = 300 * time.Millisecond
	maxSize   = 2 << 20 // of a log file
	keepFiles = 3       // set aside, besides the current one
)

// Config says where lines go. The zero value logs nowhere.
type Config struct {
	// Level is the least level of the file.
	Level slog.Level
	// Stderr takes warnings, or everything of Level when Talk is set.
	Stderr io.Writer
	// Talk says that a person reads Stderr.
	Talk bool
	// Dir is the folder of the log file; it is made if need be.
	Dir string
	// MaxSize is the size at which the file is set aside; 0 is 2 MiB.
	MaxSize int64
}

// Log is an open log. It may be used from several goroutines.
type Log struct {
	sinks []*sink
	log   *slog.Logger
}

// Open starts a log. It cannot fail; what can be written is written.
func Open(cfg Config) *Log {
	l := &Log{}
	var handlers []slog.Handler
	if cfg.Stderr != nil {
		level := max(cfg.Level, slog.LevelWarn)
		if cfg.Talk {
			level = cfg.Level
		}
		handlers = append(handlers, l.handler(cfg.Stderr, level))
	}
	if cfg.Dir != "" {
		if cfg.MaxSize <= 0 {
			cfg.MaxSize = maxSize
		}
		h := l.handler(&file{path: Path(cfg.Dir), max: cfg.MaxSize}, cfg.Level)
		handlers = append(handlers, h.WithAttrs([]slog.Attr{slog.Int("pid", os.Getpid())}))
	}
	l.log = slog.New(slog.NewMultiHandler(handlers...))
	return l
}

// Path is the log file in a folder.
func Path(dir string) string { return filepath.Join(dir, "coatcheck.log") }

// Logger is what the program logs to.
func (l *Log) Logger() *slog.Logger { return l.log }

// Close writes what is waiting, for a moment at most. Lines that come later
// are lost.
func (l *Log) Close() {
	limit := time.NewTimer(farewell)
	defer limit.Stop()
	for _, s := range l.sinks {
		s.end()
	}
	for _, s := range l.sinks {
		select {
		case <-s.ended:
		case <-limit.C:
			return
		}
	}
}

func (l *Log) handler(w io.Writer, level slog.Level) slog.Handler {
	s := &sink{to: w, queue: make(chan []byte, maxQueue), ended: make(chan struct{})}
	l.sinks = append(l.sinks, s)
	return slog.NewTextHandler(s, &slog.HandlerOptions{Level: level})
}

// sink is a writer that is never waited for.
type sink struct {
	to    io.Writer
	ended chan struct{} // closed when the queue has been written

	mu     sync.Mutex
	queue  chan []byte // closed under mu
	begun  bool        // guarded by mu; drain runs, or has run
	closed bool        // guarded by mu
	lost   int         // guarded by mu
}

// Write queues one line; it always succeeds. [slog.TextHandler] calls it once
// for each record.
func (s *sink) Write(line []byte) (int, error) {
	size := len(line)
	if len(line) > maxLine {
		line = append(line[:maxLine-4:maxLine-4], "…\n"...)
	}
	line = append([]byte(nil), line...) // the handler uses its buffer again
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return size, nil
	}
	if s.lost > 0 {
		line = append(line, "msg=\"lines were lost\" count="+strconv.Itoa(s.lost)+"\n"...)
	}
	if !s.begun { // most programs that serve have nothing to say at first
		s.begun = true
		// Ends when Close closes the queue; a writer that hangs keeps it until
		// the process ends.
		go s.drain()
	}
	select {
	case s.queue <- line:
		s.lost = 0
	default:
		s.lost++
	}
	return size, nil
}

func (s *sink) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.queue)
	if !s.begun {
		close(s.ended)
	}
}

func (s *sink) drain() {
	defer close(s.ended)
	for line := range s.queue {
		_, _ = s.to.Write(line) // there is nobody to tell
	}
}
