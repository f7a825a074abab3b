package objects_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
)

func newDir(t *testing.T) (*objects.Dir, string) {
	t.Helper()
	path := t.TempDir()
	d, err := objects.NewDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return d, path
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// TestAnObjectIsMadeOnce, whatever comes after it, also half of one.
func TestAnObjectIsMadeOnce(t *testing.T) {
	d, _ := newDir(t)
	ctx, full := t.Context(), errors.New("full")
	if err := d.Create(ctx, "a/b", text("one")); err != nil {
		t.Fatal(err)
	}
	if err := d.Create(ctx, "a/half", func(w io.Writer) error { return errors.Join(text("ha")(w), full) }); !errors.Is(err, full) {
		t.Errorf("Create = %v", err)
	}
	for name, want := range map[string]string{"a/b": "one", "a/half": "ha"} {
		if err := d.Create(ctx, name, text("other")); !errors.Is(err, objects.ErrExists) {
			t.Errorf("%s a second time: %v", name, err)
		}
		if got, err := objects.Read(ctx, d, name, 100); string(got) != want || err != nil {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
	if got, err := objects.Read(ctx, d, "a/b", 2); string(got) != "on" || err != nil {
		t.Errorf("the begin = %q, %v", got, err)
	}
	var made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := d.Create(ctx, "c", text("x")); err == nil {
				made.Add(1)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("%d made it", made.Load())
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := d.Create(ended, "d", text("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestNamesAreDurable: of an object that was made, or found, every folder that
// leads to it is synced, and what cannot be is no success.
func TestNamesAreDurable(t *testing.T) {
	d, path := newDir(t)
	var synced []string
	var failing error
	d.OnSync(func(folder string) error {
		at, err := filepath.Rel(path, folder)
		synced = append(synced, at)
		return errors.Join(err, failing)
	})
	for _, want := range []error{nil, objects.ErrExists} {
		synced = nil
		if err := d.Create(t.Context(), "a/b/c", text("x")); !errors.Is(err, want) {
			t.Errorf("Create = %v, want %v", err, want)
		}
		if diff := cmp.Diff([]string{filepath.Join("a", "b"), "a", "."}, synced); diff != "" {
			t.Error(diff)
		}
	}
	failing = errors.New("broken disk")
	for _, name := range []string{"a/b/d", "a/b/c"} {
		if err := d.Create(t.Context(), name, text("x")); !errors.Is(err, failing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNames(t *testing.T) {
	d, _ := newDir(t)
	ctx := t.Context()
	for _, name := range []string{"b/2/x", "b/1/y", "b/1/x", "a", "b/0"} {
		if err := d.Create(ctx, name, text(name)); err != nil {
			t.Fatal(err)
		}
	}
	for folder, want := range map[string][]string{"": {"a", "b/"}, "b/": {"b/0", "b/1/", "b/2/"}, "b/1/": {"b/1/x", "b/1/y"}, "nowhere/": nil} {
		if got, err := d.Names(ctx, folder); !cmp.Equal(want, got) || err != nil {
			t.Errorf("Names(%q) = %q, %v", folder, got, err)
		}
	}
	var all []string
	err := objects.Walk(ctx, d, "", func(name string) error { all = append(all, name); return nil })
	if diff := cmp.Diff([]string{"a", "b/0", "b/1/x", "b/1/y", "b/2/x"}, all); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	stop := errors.New("stop")
	if err := objects.Walk(ctx, d, "b/", func(string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Walk = %v", err)
	}
}

// TestNothingOutsideTheFolder is read or made.
func TestNothingOutsideTheFolder(t *testing.T) {
	d, path := newDir(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "outside"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../outside", "/outside", "a/../../outside", "", ".."} {
		if err := d.Create(t.Context(), name, text("x")); err == nil || errors.Is(err, objects.ErrExists) {
			t.Errorf("%q was made: %v", name, err)
		}
		if _, err := d.Open(t.Context(), name); err == nil {
			t.Errorf("%q was opened", name)
		}
	}
	for _, at := range []string{filepath.Join(path, "missing"), filepath.Join(filepath.Dir(path), "outside")} {
		if _, err := objects.NewDir(at); err == nil {
			t.Errorf("%s is a folder", at)
		}
	}
}
