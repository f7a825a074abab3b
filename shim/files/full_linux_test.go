package files_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
)

func TestAFullDiskIsSaidAndCleared(t *testing.T) {
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getuid() == 0 && os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no small disk to be had: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	d := newDesk(t, files.Rules{Folders: []string{small}})
	h, a := d.download(small, "x", false)
	if a.Code != "" {
		t.Fatalf("%+v", a)
	}
	a = d.write(h, 0, strings.Repeat("x", 200<<10))
	if a.Code != string(usererr.TooLarge) || !strings.Contains(a.Message, "disk is full") || left(t, small) != "" {
		t.Errorf("%+v; left: %q", a, left(t, small))
	}
	if a := d.end(h, true); a.Code != string(usererr.TooLarge) {
		t.Errorf("kept: %+v", a)
	}
}
