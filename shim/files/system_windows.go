package files

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// noWait is not needed: what is no plain file is not opened below a folder.
const noWait = 0

func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// mark tells Windows that a file came from somewhere else, so that it warns
// before anything in it is run. File systems without such marks have none.
func mark(path string) {
	_ = os.WriteFile(path+":Zone.Identifier", []byte("[ZoneTransfer]\r\nZoneId=3\r\n"), 0o600)
}

// syncFolder is done by Windows itself.
func syncFolder(*os.Root) {}
