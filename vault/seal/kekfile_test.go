package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// keyMaterial reads the key out of a key file.
func keyMaterial(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var keyset struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	if err := json.Unmarshal(data, &keyset); err != nil || len(keyset.Key) != 1 || len(keyset.Key[0].KeyData.Value) < 32 {
		t.Fatalf("the key file is no keyset of one key: %v", err)
	}
	return keyset.Key[0].KeyData.Value
}

func TestKeyFileIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	if _, err := seal.OpenKEK(t.Context(), "file:kek", dir, false); !errors.Is(err, seal.ErrNoKey) {
		t.Fatalf("OpenKEK without a file = %v; want ErrNoKey", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Fatalf("a key was made unasked: %v", entries)
	}
	first, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "kek")
	before := keyMaterial(t, name)
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	second, err := seal.OpenKEK(t.Context(), "file:"+name, t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	if first.ID() != second.ID() || !strings.HasPrefix(first.ID(), "file:kek#") {
		t.Errorf("ids %q and %q; want the same, of the file", first.ID(), second.ID())
	}
	if before != keyMaterial(t, name) {
		t.Error("the key was overwritten")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestWhatAKilledMakerLeft lays what is left of processes that were killed
// while they made a key: the next start makes the key and takes it away.
func TestWhatAKilledMakerLeft(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".kek.new-1"), nil)
	write(t, filepath.Join(dir, ".kek.new-2"), []byte(`{"primaryKeyId":1,"key":[`))
	others := []string{".kek2.new-3", "kek.new-4", ".kek.new"}
	for _, name := range others {
		write(t, filepath.Join(dir, name), []byte("x"))
	}
	if err := os.Mkdir(filepath.Join(dir, ".kek.new-folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	others = append(others, ".kek.new-folder", "kek")
	first, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(others)
	look := func() (names []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if got := look(); !slices.Equal(got, others) {
		t.Errorf("in the folder are %q, want %q", got, others)
	}
	// One that was killed when the key had its name already.
	if err := os.Link(filepath.Join(dir, "kek"), filepath.Join(dir, ".kek.new-5")); err != nil {
		t.Fatal(err)
	}
	second, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
	if err != nil || second.ID() != first.ID() {
		t.Errorf("the second start: %v", err)
	}
	if got := look(); !slices.Equal(got, others) {
		t.Errorf("in the folder are %q, want %q", got, others)
	}
}

func TestProcessesThatRaceGetOneKeyFile(t *testing.T) {
	dir := t.TempDir()
	var ids sync.Map
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			kek, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
			if err != nil {
				t.Error(err)
				return
			}
			ids.Store(kek.ID(), true)
		})
	}
	group.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d different keys; want 1", n)
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		lay  func(t *testing.T, name string)
		want string
	}{
		"readable by others": {func(t *testing.T, name string) {
			if runtime.GOOS == "windows" {
				t.Skip("no modes")
			}
			copyKey(t, name)
			if err := os.Chmod(name, 0o640); err != nil {
				t.Fatal(err)
			}
		}, "can be read by others (mode 0640)"},
		"link": {func(t *testing.T, name string) {
			copyKey(t, name+".real")
			if err := os.Symlink(name+".real", name); err != nil {
				t.Skip(err)
			}
		}, "is not a plain file"},
		"link to nothing": {func(t *testing.T, name string) {
			if err := os.Symlink(name+".real", name); err != nil {
				t.Skip(err)
			}
		}, "is not a plain file"},
		"folder": {func(t *testing.T, name string) {
			if err := os.Mkdir(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is not a plain file"},
		"empty":        {func(t *testing.T, name string) { write(t, name, nil) }, "is damaged"},
		"cut short":    {func(t *testing.T, name string) { write(t, name, []byte(`{"primaryKeyId":1,"key":[`)) }, "is damaged"},
		"no key in it": {func(t *testing.T, name string) { write(t, name, []byte(`{"primaryKeyId":1}`)) }, "is damaged"},
		"huge": {func(t *testing.T, name string) {
			write(t, name, bytes.Repeat([]byte(" "), 1<<20))
		}, "is damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kek")
			test.lay(t, file)
			before, _ := os.ReadFile(file)
			_, err := seal.OpenKEK(t.Context(), "file:kek", filepath.Dir(file), true)
			if usererr.CodeOf(err) != usererr.Settings || !strings.Contains(usererr.Text(err, ""), test.want) {
				t.Errorf("OpenKEK = %v (code %s); want a user error that says %q", err, usererr.CodeOf(err), test.want)
			}
			if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestKeyURLsThatAreRefused(t *testing.T) {
	for _, url := range []string{"", "file:", "kek", "azurekeyvault://vault/key", "FILE:kek"} {
		if _, err := seal.OpenKEK(t.Context(), url, t.TempDir(), true); usererr.CodeOf(err) != usererr.Settings {
			t.Errorf("OpenKEK(%q) = %v; want code settings", url, err)
		}
	}
	if _, err := seal.OpenKEK(t.Context(), "file:none/kek", t.TempDir(), true); usererr.CodeOf(err) != usererr.Settings {
		t.Errorf("OpenKEK in a folder that is not there = %v; want code settings", err)
	}
}

func copyKey(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := seal.OpenKEK(t.Context(), "file:kek", dir, true); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, data)
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
