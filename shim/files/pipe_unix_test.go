//go:build unix

package files_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
)

func TestWhatIsNoPlainFileIsNotWaitedFor(t *testing.T) {
	d := newDesk(t, files.Rules{})
	pipe := filepath.Join(d.work, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, a := d.upload(pipe); a.Code != string(usererr.BadInput) {
		t.Errorf("%+v", a)
	}
}
