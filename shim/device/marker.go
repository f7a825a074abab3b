package device

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const (
	markerName = "device.json"
	keyName    = "device.key"
	lockName   = "device.lock"
	dirMode    = 0o700
	fileMode   = 0o600
	maxFile    = 16 << 10
)

// marker is the file beside the key. It holds no secret.
type marker struct {
	Vault      string `json:"vault"`
	Store      string `json:"store"` // ClassKeychain or ClassFile
	Thumbprint string `json:"thumbprint"`
}

func (k *Keeper) path(name string) string { return filepath.Join(k.dir, name) }

// readMarker returns nil where there is no marker.
func (k *Keeper) readMarker() (*marker, error) {
	text, err := readSmall(k.path(markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(err, k.path(markerName))
	}
	var m marker
	if err := json.Unmarshal(text, &m); err != nil || m.Thumbprint == "" || m.Store != ClassFile && m.Store != ClassKeychain {
		return nil, damaged(err, k.path(markerName))
	}
	if m.Vault != k.cfg.Origin {
		return nil, usererr.New(usererr.Settings,
			"The device key in "+k.dir+" belongs to another vault ("+m.Vault+")",
			"If the folder was copied there, remove it; a new key is made and you sign in again")
	}
	return &m, nil
}

func (k *Keeper) writeMarker(m marker) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return k.writeFile(markerName, append(text, '\n'))
}

// readSmall reads a regular file of a sane size.
func readSmall(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, errors.New("not a small regular file")
	}
	return os.ReadFile(path)
}

// writeFile puts a file in place whole or not at all, readable by its owner
// only from the first byte on. The caller holds the lock, so the name that it
// has meanwhile can be the same each time: what somebody left who was killed
// here, such as half a key, does not stay.
func (k *Keeper) writeFile(name string, text []byte) error {
	temp := k.path(name + ".tmp")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), k.path(name))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// prepareDir makes the folder, and closes it to others where it is open.
func (k *Keeper) prepareDir() error {
	if err := os.MkdirAll(k.dir, dirMode); err != nil {
		return unwritable(err, k.dir)
	}
	if info, err := os.Lstat(k.dir); err != nil || !info.IsDir() {
		return unwritable(errors.Join(err, errors.New("not a folder, or a link to one")), k.dir)
	}
	return k.tighten(k.dir, dirMode)
}

// tighten takes away what group and others may do. Windows keeps the folder
// of a user closed by its access lists, which modes do not show.
func (k *Keeper) tighten(path string, mode fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return unreadable(err, path)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(path, mode); err != nil {
		return usererr.Wrap(err, usererr.Settings,
			"Other users of this computer can reach "+path+", and its permissions cannot be changed",
			"Make it yours and closed to others (chmod go-rwx), or remove it")
	}
	k.cfg.Log.Warn("closed a path that other users could reach", "path", path, "mode", info.Mode().Perm().String())
	return nil
}

func unreadable(err error, path string) error {
	return usererr.Wrap(err, usererr.Settings, "The device key's file "+path+" cannot be read",
		"Check who owns the file and its folder")
}

func unwritable(err error, path string) error {
	return usererr.Wrap(err, usererr.Settings, "The device key cannot be stored in "+path,
		"Check that the folder may be written and that the disk is not full")
}

func damaged(err error, path string) error {
	return usererr.Wrap(err, usererr.Settings, "The device key's file "+path+" is damaged",
		"Restore it from a backup, or remove the folder it is in; a new key is made then and you sign in again")
}
