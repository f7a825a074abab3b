package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/coatcheck-mcp/coatcheck/internal/durable"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// maxKEKFile is far more than a keyset of many keys needs.
const maxKEKFile = 64 << 10

// openFile opens the key in a file, relative to dir. A file that stands is
// never changed, whatever is in it.
func openFile(name, dir string, create bool) (KEK, error) {
	name = within(dir, name)
	kek, err := readKEKFile(name)
	if create && errors.Is(err, ErrNoKey) {
		if err := createKEKFile(name); err != nil {
			return nil, usererr.Wrap(err, usererr.Settings, "The key-encryption key "+name+" cannot be created",
				"Make its folder writable for the vault, or name another file in keys.kek")
		}
		// Read back what lies there: another process may have been first.
		kek, err = readKEKFile(name)
	}
	if err != nil {
		return nil, err
	}
	if create {
		sweep(name)
	}
	return kek, nil
}

// unfinished is how the names of key files begin that are yet to get theirs.
func unfinished(name string) string { return "." + filepath.Base(name) + ".new-" }

// sweep removes what processes left behind that were killed while they made
// the key, which is there by now.
func sweep(name string) {
	entries, _ := os.ReadDir(filepath.Dir(name)) // what cannot be listed stays
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished(name)) && e.Type().IsRegular() {
			_ = os.Remove(filepath.Join(filepath.Dir(name), e.Name())) // the next start tries again
		}
	}
}

// fileKEK is a Tink keyset in a file that only the vault's user may read.
type fileKEK struct {
	id    string
	names []string
	box   *Box
}

func (k *fileKEK) ID() string { return k.id }

func (k *fileKEK) Names() []string { return k.names }

func (k *fileKEK) Wrap(_ context.Context, plain []byte, aad AAD) ([]byte, error) {
	return k.box.Seal(plain, aad)
}

func (k *fileKEK) Unwrap(_ context.Context, wrapped []byte, aad AAD) ([]byte, error) {
	return k.box.Open(wrapped, aad)
}

func readKEKFile(name string) (*fileKEK, error) {
	data, err := readPrivate(name)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	damaged := usererr.New(usererr.Settings, "The key-encryption key "+name+" is damaged", "Restore it from a backup; without it nobody's sign-in can be read")
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, damaged
	}
	box, err := newBox(handle)
	if err != nil {
		return nil, damaged
	}
	// Of names, the file's own is not a part: a file may be moved.
	info := handle.KeysetInfo()
	names := []string{fileName(info.GetPrimaryKeyId())}
	for _, key := range info.GetKeyInfo() {
		if name := fileName(key.GetKeyId()); name != names[0] {
			names = append(names, name)
		}
	}
	id := fmt.Sprintf("file:%s#%08x", filepath.Base(name), info.GetPrimaryKeyId())
	return &fileKEK{id: id, names: names, box: box}, nil
}

// readPrivate reads a file that must be nobody else's business.
func readPrivate(name string) ([]byte, error) {
	before, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoKey, name)
	} else if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "The key-encryption key "+name+" cannot be read", "Let the vault's user read it")
	}
	if !before.Mode().IsRegular() {
		return nil, usererr.New(usererr.Settings, "The key-encryption key "+name+" is not a plain file", "Put the file itself there, not a link to it")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "The key-encryption key "+name+" cannot be read", "Let the vault's user read it")
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the key-encryption key: %w", err)
	}
	// The file may have been exchanged for a link between the two looks.
	if !os.SameFile(before, info) {
		return nil, usererr.New(usererr.Settings, "The key-encryption key "+name+" was exchanged while it was opened", "Start the vault again")
	}
	// Windows keeps access in lists that the mode does not show; there the
	// folder protects the file.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, usererr.New(usererr.Settings,
			fmt.Sprintf("The key-encryption key %s can be read by others (mode %04o)", name, info.Mode().Perm()),
			"If nobody else has read it, run: chmod 600 "+name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKEKFile))
	if err != nil {
		return nil, fmt.Errorf("reading the key-encryption key: %w", err)
	}
	return data, nil
}

// createKEKFile makes a key and gives it its name only when it is complete on
// the disk, and only if nothing has that name: a link never overwrites, so of
// two processes that start at once one wins and both read the same key.
func createKEKFile(name string) (err error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return err
	}
	defer clear(text.Bytes())
	f, err := os.CreateTemp(filepath.Dir(name), unfinished(name)+"*") // O_EXCL, 0600
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = f.Write(append(text.Bytes(), '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil {
		// Who was first may have swept ours away already.
		if _, there := os.Lstat(name); there != nil {
			return err
		}
	}
	return durable.Folder(filepath.Dir(name))
}

// within makes a name that is relative to dir absolute.
func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(io.LimitReader(f, most))
}
