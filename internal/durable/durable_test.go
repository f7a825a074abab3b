package durable_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/durable"
)

// TestFolder: one that is there is synced, and one that is not is an error. What
// a crash leaves cannot be seen here.
func TestFolder(t *testing.T) {
	folder := t.TempDir()
	if err := durable.Folder(folder); err != nil {
		t.Error(err)
	}
	if err := durable.Folder(filepath.Join(folder, "missing")); runtime.GOOS != "windows" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
}
