package files_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
)

// What is ahead of the beginning of a file is no more than what a vault has on
// its way.
func TestSmallPiecesDoNotFillTheMemory(t *testing.T) {
	d := newDesk(t, files.Rules{})
	h, _ := d.download(d.work, "x", false)
	var a wire.FileAnswer
	for i := range int64(2 * wire.FileWindow) {
		if a = d.write(h, 1+2*i, "x"); a.Code != "" {
			break
		}
	}
	if a.Code == "" {
		t.Error("all of them were taken")
	}
	d.end(h, false)
}

// A vault that asks and does not read what it is answered loses the link.
func TestAnswersDoNotPileUp(t *testing.T) {
	read := make(chan struct{})
	asked := make(chan struct{}, 1)
	desk := files.New(t.Context(), files.Config{
		Rules: files.Rules{Folders: []string{t.TempDir()}}, Log: slog.New(slog.DiscardHandler),
		Call: func(string) ([]byte, bool) {
			return []byte(`{"params":{"name":"confluence_upload_attachment","arguments":{"path":"/x"}}}`), true
		},
		Roots: func(context.Context, string) []string { asked <- struct{}{}; <-read; return nil },
		Send:  func([]byte) { <-read },
	})
	defer desk.Close()
	defer close(read)
	flood := func(kind wire.Kind, body any) error {
		frame := wire.Encode(kind, body)
		for range 5000 {
			if err := desk.Frame(kind, frame[1:]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := flood(wire.KindFileClose, wire.FileClose{ID: 1, Handle: 1}); err == nil {
		t.Error("questions about a file that is not open")
	}
	open := wire.FileOpen{ID: 2, Handle: 2, Call: "1", Mode: wire.FileRead, Path: "/x"}
	if err := desk.Frame(wire.KindFileOpen, wire.Encode(wire.KindFileOpen, open)[1:]); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := flood(wire.KindFileOpen, open); err == nil {
		t.Error("questions for a file that is being opened")
	}
}

// logged is a desk whose client is asked for its folders, and what it logs at
// the level of warnings.
func logged(t *testing.T, roots func(d *desk) []string) (*desk, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	d := &desk{t: t, sent: make(chan []byte, 64), calls: map[string]string{}}
	d.Desk = files.New(t.Context(), files.Config{
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Call: func(id string) ([]byte, bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			message, ok := d.calls[id]
			return []byte(message), ok
		},
		Roots: func(context.Context, string) []string { return roots(d) },
		Send:  func(frame []byte) { d.sent <- bytes.Clone(frame) },
	})
	return d, &log
}

func TestACallThatComesAgainIsNoWarning(t *testing.T) {
	d, log := logged(t, func(d *desk) []string { d.over("1"); return nil }) // the client is asked in the answer
	d.upload("/x")
	d.Close()
	if log.Len() > 0 {
		t.Errorf("%s", log)
	}
	d, log = logged(t, func(*desk) []string { return nil })
	d.upload("/x")
	d.Close()
	if log.Len() == 0 {
		t.Error("a refusal is not logged")
	}
}

// Another vault has not asked what the one before it asked.
func TestAnotherVaultGetsNoAnswers(t *testing.T) {
	d, _ := logged(t, func(d *desk) []string { d.Reset(); return nil })
	d.call("1", "confluence_upload_attachment", `{"path":"/x"}`)
	d.say(wire.KindFileOpen, wire.FileOpen{ID: 1, Handle: 1, Call: "1", Mode: wire.FileRead, Path: "/x"})
	d.Close()
	if len(d.sent) > 0 {
		t.Errorf("%.200q", <-d.sent)
	}
}

// Whatever ends first, nothing of a file is remembered when its call has ended.
func TestCallsThatEndLeaveNothing(t *testing.T) {
	var d *desk
	last := false
	d = &desk{t: t, work: t.TempDir(), sent: make(chan []byte, 64), calls: map[string]string{}}
	d.Desk = files.New(t.Context(), files.Config{
		Rules: files.Rules{Folders: []string{d.work}}, Log: slog.New(slog.DiscardHandler),
		Call: func(id string) ([]byte, bool) {
			message, ok := d.calls[id]
			if last { // the call ends while its file is closed
				d.End(id)
			}
			return []byte(message), ok
		},
		Send: func(frame []byte) { d.sent <- bytes.Clone(frame) },
	})
	defer d.Close()
	path := put(t, filepath.Join(d.work, "a"), "x")
	for i := range 1100 {
		last = false
		d.call(fmt.Sprint(i), "confluence_upload_attachment", `{"path":`+quote(path)+`}`)
		h, a := d.open(wire.FileOpen{Call: fmt.Sprint(i), Mode: wire.FileRead, Path: path})
		if a.Code != "" {
			t.Fatalf("%d: %+v", i, a)
		}
		last = true
		d.end(h, true)
	}
}

// No frame is longer than a link takes, whatever a folder is called.
func TestLongAnswersFit(t *testing.T) {
	d := newDesk(t, files.Rules{})
	folder := d.work
	for range 12 {
		folder = filepath.Join(folder, strings.Repeat("&", 250))
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Skip(err) // the system takes no such paths
	}
	h, a := d.download(folder, "x", false)
	if a.Code != "" {
		t.Fatalf("%.200v", a)
	}
	d.next++
	d.say(wire.KindFileClose, wire.FileClose{ID: d.next, Handle: h, Keep: true})
	select {
	case frame := <-d.sent:
		if _, _, err := wire.KindOf(frame); err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("no answer")
	}
	if names := left(t, folder); names != "x" {
		t.Error(fmt.Sprint(names))
	}
}
