package files_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
)

// desk is a desk with a client and a vault that are played by the test.
type desk struct {
	*files.Desk
	t     *testing.T
	work  string // a folder that is allowed
	sent  chan []byte
	mu    sync.Mutex
	calls map[string]string // guarded by mu; by id
	next  uint64
}

func newDesk(t *testing.T, rules files.Rules, roots ...string) *desk {
	t.Helper()
	d := &desk{t: t, work: t.TempDir(), sent: make(chan []byte, 64), calls: map[string]string{}}
	if rules.Folders == nil && roots == nil {
		rules.Folders = []string{d.work}
	}
	d.Desk = files.New(t.Context(), files.Config{
		Rules: rules, Log: slog.New(slog.DiscardHandler),
		Call: func(id string) ([]byte, bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			message, ok := d.calls[id]
			return []byte(message), ok
		},
		Roots: func(context.Context, string) []string { return roots },
		Send:  func(frame []byte) { d.sent <- bytes.Clone(frame) },
	})
	t.Cleanup(d.Close)
	return d
}

// call begins a call of the client.
func (d *desk) call(id, tool, arguments string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[id] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, arguments)
}

// over ends a call.
func (d *desk) over(id string) {
	d.mu.Lock()
	delete(d.calls, id)
	d.mu.Unlock()
	d.End(id)
}

func quote(text string) string { return fmt.Sprintf("%q", text) }

// say sends a request of the vault.
func (d *desk) say(kind wire.Kind, body any) {
	d.t.Helper()
	frame := wire.Encode(kind, body)
	if err := d.Frame(kind, frame[1:]); err != nil {
		d.t.Fatalf("a request of kind %#x: %v", kind, err)
	}
}

// heard is what the shim answers next.
func (d *desk) heard() (wire.Kind, []byte) {
	d.t.Helper()
	select {
	case frame := <-d.sent:
		return wire.Kind(frame[0]), frame[1:]
	case <-time.After(5 * time.Second):
		d.t.Fatal("no answer")
		return 0, nil
	}
}

func (d *desk) answer() wire.FileAnswer {
	d.t.Helper()
	kind, body := d.heard()
	var a wire.FileAnswer
	if kind != wire.KindFileAnswer || wire.Decode(body, &a) != nil {
		d.t.Fatalf("kind %#x: %.200q", kind, body)
	}
	return a
}

// open opens a file and returns its handle and the answer.
func (d *desk) open(o wire.FileOpen) (uint64, wire.FileAnswer) {
	d.t.Helper()
	d.next += 2
	o.ID, o.Handle = d.next, d.next+1
	d.say(wire.KindFileOpen, o)
	a := d.answer()
	if a.ID != o.ID {
		d.t.Fatalf("an answer to %d, not %d", a.ID, o.ID)
	}
	return o.Handle, a
}

// upload opens a file with the call that names it.
func (d *desk) upload(path string) (uint64, wire.FileAnswer) {
	d.t.Helper()
	d.call("1", "confluence_upload_attachment", `{"page":"7","path":`+quote(path)+`}`)
	return d.open(wire.FileOpen{Call: "1", Mode: wire.FileRead, Path: path})
}

// download begins a file with the call that names its folder.
func (d *desk) download(folder, name string, overwrite bool) (uint64, wire.FileAnswer) {
	d.t.Helper()
	d.call("1", "confluence_download_attachment", fmt.Sprintf(`{"folder":%q,"overwrite":%v}`, folder, overwrite))
	return d.open(wire.FileOpen{Call: "1", Mode: wire.FileWrite, Path: folder, Name: name})
}

func (d *desk) read(handle uint64, offset int64, length int) ([]byte, wire.FileAnswer) {
	d.t.Helper()
	d.next++
	d.say(wire.KindFileRead, wire.FileRange{ID: d.next, Handle: handle, Offset: offset, Length: length})
	kind, body := d.heard()
	if kind == wire.KindFileData {
		c, data, err := wire.DecodeChunk(body)
		if err != nil || c.ID != d.next {
			d.t.Fatalf("%+v, %v", c, err)
		}
		return data, wire.FileAnswer{}
	}
	var a wire.FileAnswer
	if err := wire.Decode(body, &a); err != nil {
		d.t.Fatal(err)
	}
	return nil, a
}

func (d *desk) write(handle uint64, offset int64, text string) wire.FileAnswer {
	d.t.Helper()
	d.next++
	frame := wire.EncodeChunk(nil, wire.KindFileWrite, wire.Chunk{ID: d.next, Handle: handle, Offset: offset}, []byte(text))
	if err := d.Frame(wire.KindFileWrite, frame[1:]); err != nil {
		d.t.Fatal(err)
	}
	return d.answer()
}

func (d *desk) end(handle uint64, keep bool) wire.FileAnswer {
	d.t.Helper()
	d.next++
	d.say(wire.KindFileClose, wire.FileClose{ID: d.next, Handle: handle, Keep: keep})
	return d.answer()
}

func put(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// left lists what is in a folder.
func left(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestAFileIsRead(t *testing.T) {
	d := newDesk(t, files.Rules{})
	h, a := d.upload(put(t, filepath.Join(d.work, "plan.txt"), "abcdefgh"))
	if a.Code != "" || a.Name != "plan.txt" || a.Size != 8 {
		t.Fatalf("%+v", a)
	}
	if data, a := d.read(h, 2, 3); string(data) != "cde" {
		t.Errorf("%q, %+v", data, a)
	}
	if data, a := d.read(h, 6, 100); string(data) != "gh" {
		t.Errorf("at the end: %q, %+v", data, a)
	}
	if a := d.end(h, true); a.Code != "" {
		t.Errorf("%+v", a)
	}
	if _, a := d.read(h, 0, 1); a.Code != string(usererr.NotFound) {
		t.Errorf("after the end: %+v", a)
	}
}

func TestAFileThatChangesIsNoFile(t *testing.T) {
	for name, change := range map[string]func(string) error{
		"shorter": func(name string) error { return os.Truncate(name, 3) },
		"longer":  func(name string) error { return os.WriteFile(name, []byte("abcdefghijkl"), 0o600) },
		"other":   func(name string) error { return os.Chtimes(name, time.Now(), time.Now().Add(time.Hour)) },
	} {
		d := newDesk(t, files.Rules{})
		path := put(t, filepath.Join(d.work, "log.txt"), "abcdefgh")
		h, _ := d.upload(path)
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if name == "shorter" {
			if _, a := d.read(h, 0, 8); a.Code != string(usererr.Conflict) {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if a := d.end(h, true); a.Code != string(usererr.Conflict) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAFileIsWritten(t *testing.T) {
	d := newDesk(t, files.Rules{})
	h, a := d.download(d.work, "notes.txt", false)
	if a.Code != "" || a.Name != "notes.txt" {
		t.Fatalf("%+v", a)
	}
	if names := left(t, d.work); strings.Contains(names, "notes.txt") {
		t.Errorf("before it is whole: %s", names)
	}
	for offset, text := range []string{"one ", "", "", "", "two"} {
		if text == "" {
			continue
		}
		if a := d.write(h, int64(offset), text); a.Code != "" {
			t.Fatalf("%+v", a)
		}
	}
	if a := d.write(h, 0, "one "); a.Code != "" { // again, over another link
		t.Errorf("%+v", a)
	}
	a = d.end(h, true)
	if a.Code != "" || filepath.Base(a.Path) != "notes.txt" {
		t.Fatalf("%+v", a)
	}
	if text, err := os.ReadFile(a.Path); string(text) != "one two" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if info, _ := os.Stat(a.Path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if again := d.end(h, true); again.Path != a.Path {
		t.Errorf("asked again: %+v", again)
	}
	if names := left(t, d.work); names != "notes.txt" {
		t.Errorf("left: %s", names)
	}
}

func TestNothingIsOverwrittenUnlessTheCallSaysSo(t *testing.T) {
	d := newDesk(t, files.Rules{})
	path := put(t, filepath.Join(d.work, "a.txt"), "mine")
	if _, a := d.download(d.work, "a.txt", false); a.Code != string(usererr.Conflict) {
		t.Errorf("%+v", a)
	}
	h, _ := d.download(d.work, "b.txt", false)
	put(t, filepath.Join(d.work, "b.txt"), "meanwhile")
	d.write(h, 0, "theirs")
	if a := d.end(h, true); a.Code != string(usererr.Conflict) {
		t.Errorf("taken meanwhile: %+v", a)
	}
	h, _ = d.download(d.work, "a.txt", true)
	d.write(h, 0, "theirs")
	if a := d.end(h, true); a.Code != "" {
		t.Errorf("%+v", a)
	}
	if text, _ := os.ReadFile(path); string(text) != "theirs" {
		t.Errorf("%q", text)
	}
	if text, _ := os.ReadFile(filepath.Join(d.work, "b.txt")); string(text) != "meanwhile" {
		t.Errorf("%q", text)
	}
	if err := os.Mkdir(filepath.Join(d.work, "c.txt"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, a := d.download(d.work, "c.txt", true); a.Code != string(usererr.Conflict) {
		t.Errorf("a folder: %+v", a)
	}
}

func TestNothingHalfIsLeft(t *testing.T) {
	d := newDesk(t, files.Rules{})
	for name, finish := range map[string]func(uint64){
		"dropped":        func(h uint64) { d.end(h, false) },
		"the call ended": func(uint64) { d.over("1") },
		"another vault":  func(uint64) { d.Reset() },
		"a hole": func(h uint64) {
			if a := d.write(h, 100, "x"); a.Code != "" {
				t.Errorf("a piece that came first: %+v", a)
			}
			if a := d.end(h, true); a.Code == "" {
				t.Errorf("kept: %+v", a)
			}
		},
	} {
		h, a := d.download(d.work, "x.bin", false)
		if a.Code != "" {
			t.Fatalf("%s: %+v", name, a)
		}
		d.write(h, 0, "some")
		finish(h)
		for deadline := time.Now().Add(5 * time.Second); left(t, d.work) != "" && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if names := left(t, d.work); names != "" {
			t.Errorf("%s: %s", name, names)
		}
	}
	old := put(t, filepath.Join(d.work, "~coatcheck-ABC.part"), "of a computer that stopped")
	if err := os.Chtimes(old, time.Now(), time.Now().Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	h, _ := d.download(d.work, "x.bin", false)
	d.end(h, true)
	if names := left(t, d.work); names != "x.bin" {
		t.Errorf("swept: %s", names)
	}
}

func TestPiecesThatWereLostComeLater(t *testing.T) {
	d := newDesk(t, files.Rules{})
	h, _ := d.download(d.work, "x", false)
	for _, piece := range []struct {
		at   int64
		text string
	}{{3, "def"}, {9, "jkl"}, {3, "def"}, {6, "ghi"}, {0, "abc"}, {9, "jkl"}} {
		if a := d.write(h, piece.at, piece.text); a.Code != "" {
			t.Fatalf("at %d: %+v", piece.at, a)
		}
	}
	a := d.end(h, true)
	if text, err := os.ReadFile(a.Path); string(text) != "abcdefghijkl" {
		t.Errorf("%q, %v", text, err)
	}
	for _, far := range []int64{1 << 40, -1} {
		h, _ := d.download(d.work, "y", true)
		if a := d.write(h, far, "x"); (a.Code == "") != (far < 0) { // which is 0 on the wire
			t.Errorf("at %d: %+v", far, a)
		}
		d.end(h, false)
	}
}

func TestAShortFileIsNotKept(t *testing.T) {
	d := newDesk(t, files.Rules{})
	d.call("1", "confluence_download_attachment", `{"folder":`+quote(d.work)+`}`)
	h, _ := d.open(wire.FileOpen{Call: "1", Mode: wire.FileWrite, Path: d.work, Name: "x", Size: 10})
	d.write(h, 0, "short")
	if a := d.end(h, true); a.Code != string(usererr.Unavailable) || left(t, d.work) != "" {
		t.Errorf("%+v, %s", a, left(t, d.work))
	}
}

func TestWhatNoVaultAsks(t *testing.T) {
	d := newDesk(t, files.Rules{})
	for name, bad := range map[string]struct {
		kind wire.Kind
		body []byte
	}{
		"no JSON":       {wire.KindFileOpen, []byte("{")},
		"too much":      {wire.KindFileRead, []byte(`{"id":1,"handle":1,"length":99999999}`)},
		"nothing":       {wire.KindFileRead, []byte(`{"id":1,"handle":1}`)},
		"before":        {wire.KindFileRead, []byte(`{"id":1,"handle":1,"offset":-1,"length":1}`)},
		"no chunk":      {wire.KindFileWrite, []byte{0xff}},
		"another frame": {wire.KindHello, []byte("{}")},
	} {
		if err := d.Frame(bad.kind, bad.body); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// More files than there may be at once are refused, and the others go on.
func TestTooManyFilesAtOnce(t *testing.T) {
	d := newDesk(t, files.Rules{})
	d.call("1", "confluence_download_attachment", `{"folder":`+quote(d.work)+`}`)
	for i := uint64(1); i <= 2*wire.FilesOpen; i++ {
		d.say(wire.KindFileOpen, wire.FileOpen{ID: i, Handle: 1000 + i, Call: "1", Mode: wire.FileWrite, Path: d.work, Name: fmt.Sprint(i)})
	}
	for range 2 * wire.FilesOpen {
		if a := d.answer(); (a.ID > wire.FilesOpen) != (a.Code == string(usererr.RateLimited)) {
			t.Errorf("%+v", a)
		}
	}
	d.end(1001, false)
	d.say(wire.KindFileOpen, wire.FileOpen{ID: 99, Handle: 2000, Call: "1", Mode: wire.FileWrite, Path: d.work, Name: "more"})
	if a := d.answer(); a.ID != 99 || a.Code != "" {
		t.Errorf("%+v", a)
	}
}

func TestOpenedAgainOverAnotherLink(t *testing.T) {
	d := newDesk(t, files.Rules{})
	path := put(t, filepath.Join(d.work, "a.txt"), "abc")
	h, _ := d.upload(path)
	d.say(wire.KindFileOpen, wire.FileOpen{ID: 77, Handle: h, Call: "1", Mode: wire.FileRead, Path: path})
	if a := d.answer(); a.ID != 77 || a.Size != 3 {
		t.Errorf("%+v", a)
	}
	d.end(h, true)
	d.say(wire.KindFileOpen, wire.FileOpen{ID: 78, Handle: h, Call: "1", Mode: wire.FileRead, Path: path})
	if a := d.answer(); a.ID != 78 || a.Size != 3 {
		t.Errorf("after the end: %+v", a)
	}
}
