package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/transfer"
)

// shim is the far end, which a test plays: it has one file to read, and keeps
// one that is written.
type shim struct {
	t       *testing.T
	desk    *transfer.Desk
	content []byte // of the file to read

	mu      sync.Mutex
	written []byte                        // guarded by mu
	ended   []wire.FileClose              // guarded by mu
	open    wire.FileOpen                 // guarded by mu; the last
	most    int                           // guarded by mu; requests at once without an answer
	waits   int                           // guarded by mu
	lose    func() bool                   // whether the next frame is lost
	say     func(kind wire.Kind) *failure // what is answered instead
	delay   time.Duration
}

type failure struct{ answer wire.FileAnswer }

func newShim(t *testing.T, content []byte) *shim {
	s := &shim{t: t, content: content, lose: func() bool { return false }, say: func(wire.Kind) *failure { return nil }}
	s.desk = transfer.New(s.take)
	return s
}

// take is the link to the shim: it answers in a goroutine of its own, like one
// on another computer.
func (s *shim) take(frame []byte) {
	frame = bytes.Clone(frame)
	s.mu.Lock()
	lost := s.lose()
	if !lost {
		s.waits++
		s.most = max(s.most, s.waits)
	}
	s.mu.Unlock()
	if lost {
		return
	}
	go func() {
		time.Sleep(s.delay)
		s.mu.Lock()
		kind, answer := s.work(frame)
		s.waits--
		lost := s.lose()
		s.mu.Unlock()
		if answer == nil || lost {
			return
		}
		if err := s.desk.Frame(kind, answer); err != nil {
			s.t.Errorf("the answer to %#x: %v", frame[0], err)
		}
	}()
}

func (s *shim) work(frame []byte) (wire.Kind, []byte) {
	kind, body, err := wire.KindOf(frame)
	if err != nil {
		s.t.Errorf("KindOf: %v", err)
	}
	plain := func(a wire.FileAnswer) (wire.Kind, []byte) {
		if f := s.say(kind); f != nil {
			id := a.ID
			a = f.answer
			a.ID = id
		}
		return wire.KindFileAnswer, wire.Encode(wire.KindFileAnswer, a)[1:]
	}
	switch kind {
	case wire.KindFileOpen:
		_ = wire.Decode(body, &s.open)
		return plain(wire.FileAnswer{ID: s.open.ID, Name: "f.bin", Size: int64(len(s.content))})
	case wire.KindFileRead:
		var r wire.FileRange
		_ = wire.Decode(body, &r)
		if s.say(kind) != nil {
			return plain(wire.FileAnswer{ID: r.ID})
		}
		to := min(r.Offset+int64(r.Length), int64(len(s.content)))
		return wire.KindFileData, wire.EncodeChunk(nil, wire.KindFileData, wire.Chunk{ID: r.ID}, s.content[min(r.Offset, to):to])[1:]
	case wire.KindFileWrite:
		c, data, _ := wire.DecodeChunk(body)
		if more := int(c.Offset) + len(data) - len(s.written); more > 0 { // they come in any order
			s.written = append(s.written, make([]byte, more)...)
		}
		copy(s.written[c.Offset:], data)
		return plain(wire.FileAnswer{ID: c.ID})
	case wire.KindFileClose:
		var c wire.FileClose
		_ = wire.Decode(body, &c)
		s.ended = append(s.ended, c)
		return plain(wire.FileAnswer{ID: c.ID, Path: "/work/f.bin"})
	}
	s.t.Errorf("a frame of kind %#x", kind)
	return 0, nil
}

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

func TestAFileComesInPieces(t *testing.T) {
	for _, size := range []int{0, 1, wire.FileChunk, wire.FileChunk + 1, 20*wire.FileChunk + 7} {
		synctest.Test(t, func(t *testing.T) {
			s := newShim(t, noise(size))
			s.delay = time.Millisecond
			source, err := s.desk.Open(t.Context(), "7", "/work/f.bin")
			if err != nil || source.Name() != "f.bin" || source.Size() != int64(size) {
				t.Fatal(err)
			}
			got, err := io.ReadAll(source)
			if err != nil || !bytes.Equal(got, s.content) {
				t.Errorf("%d bytes: %d came, %v", size, len(got), err)
			}
			if err := source.Close(); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if s.most > wire.FileWindow+1 || len(s.ended) != 1 || !s.ended[0].Keep {
				t.Errorf("%d at once, %+v", s.most, s.ended)
			}
			if s.open.Call != "7" || s.open.Path != "/work/f.bin" || s.open.Mode != wire.FileRead {
				t.Errorf("%+v", s.open)
			}
		})
	}
}

func TestAFileGoesInPieces(t *testing.T) {
	for _, size := range []int{0, 1, wire.FileChunk, 20*wire.FileChunk + 7} {
		synctest.Test(t, func(t *testing.T) {
			s := newShim(t, nil)
			target, err := s.desk.Create(t.Context(), "7", wire.FileOpen{Path: "/work", Name: "f.bin", Size: int64(size)})
			if err != nil {
				t.Fatal(err)
			}
			content := noise(size)
			if n, err := io.Copy(target, struct{ io.Reader }{bytes.NewReader(content)}); n != int64(size) || err != nil {
				t.Fatal(n, err)
			}
			if where, err := target.Keep(); where != "/work/f.bin" || err != nil {
				t.Errorf("%q, %v", where, err)
			}
			target.Drop()
			synctest.Wait()
			if !bytes.Equal(s.written, content) || len(s.ended) != 1 {
				t.Errorf("%d bytes: %d arrived, %+v", size, len(s.written), s.ended)
			}
		})
	}
}

func TestWriteTakesAnyPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShim(t, nil)
		target, err := s.desk.Create(t.Context(), "7", wire.FileOpen{Path: "/work", Name: "f.bin"})
		if err != nil {
			t.Fatal(err)
		}
		content := noise(3*wire.FileChunk + 5)
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 100_003)
			if _, err := target.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if _, err := target.Keep(); err != nil || !bytes.Equal(s.written, content) {
			t.Errorf("%d bytes arrived, %v", len(s.written), err)
		}
	})
}

// Whatever frames are lost on the way, asking again over the next link brings
// all of it, once.
func TestLostLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShim(t, noise(40*wire.FileChunk+9))
		dice := rand.New(rand.NewPCG(1, 2))
		s.lose = func() bool { return dice.IntN(4) == 0 }
		done := make(chan struct{})
		go func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Second):
					s.desk.Again()
				}
			}
		}()
		defer close(done)
		source, err := s.desk.Open(t.Context(), "7", "/work/f.bin")
		if err != nil {
			t.Fatal(err)
		}
		target, err := s.desk.Create(t.Context(), "7", wire.FileOpen{Path: "/work", Name: "f.bin"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(target, source); err != nil {
			t.Fatal(err)
		}
		if _, err := target.Keep(); err != nil || !bytes.Equal(s.written, s.content) {
			t.Errorf("%d of %d bytes, %v", len(s.written), len(s.content), err)
		}
	})
}

func TestWhatTheShimSaysIsTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []wire.Kind{wire.KindFileOpen, wire.KindFileRead, wire.KindFileClose} {
			s := newShim(t, noise(10))
			s.say = func(k wire.Kind) *failure {
				if k != kind {
					return nil
				}
				return &failure{wire.FileAnswer{Code: string(usererr.Conflict), Message: "It changed\x1b[2J", Hint: "Wait"}}
			}
			source, err := s.desk.Open(t.Context(), "7", "/x")
			if err == nil {
				_, err = io.ReadAll(source)
				_ = source.Close()
			}
			said, ok := usererr.From(err)
			if !ok || said.Code != usererr.Conflict || said.Message != "It changed[2J" || said.Hint != "Wait" {
				t.Errorf("kind %#x: %v", kind, err)
			}
		}
	})
}

func TestTheEndOfTheCallEndsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShim(t, noise(10))
		s.lose = func() bool { return true }
		why := errors.New("the person thought better of it")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if _, err := s.desk.Open(ctx, "7", "/x"); !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
		gone := usererr.New(usererr.Revoked, "gone", "")
		time.AfterFunc(time.Second, func() { s.desk.Close(gone) })
		if _, err := s.desk.Open(t.Context(), "7", "/x"); !errors.Is(err, gone) {
			t.Errorf("%v", err)
		}
		if _, err := s.desk.Create(t.Context(), "7", wire.FileOpen{}); !errors.Is(err, gone) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestFilesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShim(t, noise(10))
		var open []*transfer.Source
		for range wire.FilesOpen {
			source, err := s.desk.Open(t.Context(), "7", "/x")
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, source)
		}
		if _, err := s.desk.Open(t.Context(), "7", "/x"); usererr.CodeOf(err) != usererr.RateLimited {
			t.Errorf("one more: %v", err)
		}
		for _, source := range open {
			_ = source.Close()
			_ = source.Close()
		}
		if source, err := s.desk.Open(t.Context(), "7", "/x"); err != nil {
			t.Errorf("when they are closed: %v", err)
		} else if _, err := io.ReadAll(source); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatNoShimSays(t *testing.T) {
	s := newShim(t, nil)
	for name, bad := range map[string][]byte{"no JSON": []byte("{"), "nothing": nil} {
		if err := s.desk.Frame(wire.KindFileAnswer, bad); !errors.Is(err, wire.ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.desk.Frame(wire.KindFileData, []byte{0xff}); !errors.Is(err, wire.ErrFrame) {
		t.Errorf("no chunk: %v", err)
	}
	if err := s.desk.Frame(wire.KindFileAnswer, []byte(`{"id":5}`)); err != nil {
		t.Errorf("an answer that nobody waits for: %v", err)
	}
}

// A shim that does not answer must not fill the vault's memory with the pieces
// of files that nobody wants any more.
func TestWhatIsGivenUpIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShim(t, noise(20*wire.FileChunk))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		source, err := s.desk.Open(ctx, "7", "/x")
		if err != nil {
			t.Fatal(err)
		}
		target, err := s.desk.Create(ctx, "7", wire.FileOpen{Path: "/work", Name: "f.bin"})
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		s.lose = func() bool { frames++; return true }
		if _, err := source.Read(make([]byte, 10)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if _, err := target.Write(noise(20 * wire.FileChunk)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
		_ = source.Close()
		target.Drop()
		synctest.Wait() // for the frame that was being sent
		frames = 0
		s.desk.Again()
		if frames != 0 {
			t.Errorf("%d requests are asked again", frames)
		}
	})
}

func TestWhatNoFrameTakesIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShim(t, nil)
		s.lose = func() bool { t.Error("it was asked"); return true }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		const wide = 4000 // each character becomes six
		if _, err := s.desk.Open(ctx, "7", strings.Repeat("<", wide)); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("a path: %v", err)
		}
		if _, err := s.desk.Create(ctx, "7", wire.FileOpen{Path: "/work", Name: strings.Repeat("x", wire.MaxControl)}); usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("a name: %v", err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(byte(wire.KindFileAnswer), []byte(`{"id":1}`))
	f.Add(byte(wire.KindFileData), []byte{1, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		desk := transfer.New(func([]byte) {})
		if err := desk.Frame(wire.Kind(kind), body); err != nil && !errors.Is(err, wire.ErrFrame) {
			t.Errorf("%v", err)
		}
	})
}
