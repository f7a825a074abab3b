package jsonline_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

func all(t *testing.T, r io.Reader, limit int) []string {
	t.Helper()
	lines := jsonline.NewReader(r, limit)
	var got []string
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		text := string(line.Text)
		if line.Long > 0 {
			text = "long " + string(line.ID)
		}
		got = append(got, text)
	}
}

func TestReader(t *testing.T) {
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	long := `{"jsonrpc":"2.0","params":"` + strings.Repeat("x", 5000) + `","id":"the end"}`
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"only white space", "\n\r\n  \n\t", nil},
		{"lines", ping + "\n" + ping + "\n", []string{ping, ping}},
		{"CRLF and blanks", "\r\n" + ping + "\r\n\n  " + ping + "  \n", []string{ping, ping}},
		{"a byte order mark", "\xef\xbb\xbf" + ping + "\n", []string{ping}},
		{"no newline at the end", ping + "\n" + ping, []string{ping, ping}},
		{"half a line at the end", ping + "\n{\"jso", []string{ping, `{"jso`}},
		{"a long line", ping + "\n" + long + "\n" + ping + "\n", []string{ping, `long "the end"`, ping}},
		{"a long line at the end", long, []string{`long "the end"`}},
		{"long garbage", strings.Repeat("garbage ", 1000) + "\n" + ping + "\n", []string{"long ", ping}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "half": iotest.HalfReader, "data with error": iotest.DataErrReader} {
				if diff := cmp.Diff(test.want, all(t, wrap(strings.NewReader(test.in)), 1000)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

// TestReaderKeepsNoLongLine reads 100 MB on one line.
func TestReaderKeepsNoLongLine(t *testing.T) {
	const size = 100 << 20
	in := io.MultiReader(strings.NewReader(`{"jsonrpc":"2.0","method":"m","params":"`), io.LimitReader(endless{}, size), strings.NewReader(`","id":17}`+"\n"))
	lines := jsonline.NewReader(in, wire.MaxMessage)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if line, err := lines.Next(); err == nil && (line.Long < size || string(line.ID) != "17" || line.Kind != jsonline.Request) {
				t.Errorf("line = %+v", line)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 4*wire.MaxMessage {
		t.Errorf("allocated %d bytes", allocated)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReaderError(t *testing.T) {
	broken := errors.New("broken")
	lines := jsonline.NewReader(io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(broken)), 100)
	if line, err := lines.Next(); err != nil || string(line.Text) != "{}" {
		t.Fatalf("Next = %q, %v", line.Text, err)
	}
	for range 2 {
		if _, err := lines.Next(); !errors.Is(err, broken) {
			t.Errorf("Next = %v", err)
		}
	}
}

func TestFlatten(t *testing.T) {
	message := []byte("{\n \"a\": 1\r\n}\n")
	if jsonline.Flatten(message); bytes.ContainsAny(message, "\n") {
		t.Errorf("Flatten = %q", message)
	}
}

func TestWriterKeepsOrder(t *testing.T) {
	var out lockedBuffer
	w := jsonline.NewWriter(&out)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for i := range 500 {
				line := bytes.Repeat([]byte{byte('a' + i%26)}, rand.IntN(300))
				if i%3 == 0 {
					w.Post(line)
				} else if err := w.Put(line); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	w.Wait(0)
	for !w.Idle() {
		time.Sleep(time.Millisecond)
	}
	lines := bytes.Split(bytes.TrimSuffix(out.bytes(), []byte("\n")), []byte("\n"))
	if len(lines) != 2000 {
		t.Errorf("%d lines, want 2000", len(lines))
	}
	for _, line := range lines {
		if len(line) > 0 && bytes.Count(line, line[:1]) != len(line) {
			t.Fatalf("mixed line %q", line)
		}
	}
	if !w.Close(time.Second) {
		t.Error("Close left something behind")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Bytes()
}

func TestWriterBoundsWhatASlowReaderCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pipe := io.Pipe()
		w := jsonline.NewWriter(pipe)
		line := make([]byte, 64<<10)
		put := make(chan int, 1)
		go func() {
			n := 0
			for w.Put(line) == nil {
				n++
				select {
				case <-put:
				default:
				}
				put <- n
			}
		}()
		w.Post([]byte("posting does not wait"))
		time.Sleep(time.Hour)
		if n := len(put); n != 0 {
			if got := <-put; got*len(line) > 3<<20 {
				t.Errorf("%d bytes were taken for a client that does not read", got*len(line))
			}
		}
		if w.Idle() {
			t.Error("idle while a write is blocked")
		}
		_ = r.Close()
		<-w.Broke()
		if !errors.Is(w.Err(), io.ErrClosedPipe) || !w.Close(time.Second) {
			t.Errorf("after the break: %v", w.Err())
		}
		synctest.Wait()
	})
}

func TestWriterCloseLeavesABlockedWriteBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pipe := io.Pipe()
		w := jsonline.NewWriter(pipe)
		w.Post([]byte("nobody reads this"))
		synctest.Wait()
		start := time.Now()
		if w.Close(300*time.Millisecond) || time.Since(start) > time.Second {
			t.Errorf("Close waited %v", time.Since(start))
		}
		if err := w.Put([]byte("x")); err == nil {
			t.Error("Put after Close")
		}
		_ = r.Close()
	})
}
