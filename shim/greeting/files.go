package greeting

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

const maxFile = maxResult + 4<<10

// files keeps answers in files of a folder, one each.
type files struct{ dir, origin string }

// page is the content of a file.
type page struct {
	Vault    string          `json:"vault"`
	Kind     Kind            `json:"kind"`
	Revision string          `json:"revision"`
	Result   json.RawMessage `json:"result"`
}

var errPage = errors.New("it is not what was written")

func (f files) name(kind Kind, revision string) string {
	sum := sha256.Sum256([]byte(f.origin))
	return base64.RawURLEncoding.EncodeToString(sum[:12]) + "-" + string(kind) + "-" + revision + ".json"
}

// read returns nil without an error where there is no file.
func (f files) read(kind Kind, revision string) ([]byte, error) {
	if f.dir == "" {
		return nil, nil
	}
	text, err := f.load(f.name(kind, revision))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	said := func(name string) string { return jsonline.Text(jsonline.Member(text, name)) }
	if !json.Valid(text) || said("vault") != f.origin || said("kind") != string(kind) || said("revision") != revision {
		return nil, errPage
	}
	result, ok := check(kind, jsonline.Member(text, "result"))
	if !ok {
		return nil, errPage
	}
	return result, nil
}

// load reads a file that only its owner can have written.
func (f files) load(name string) ([]byte, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("its mode is %v", info.Mode())
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errPage
	}
	return text, err
}

// write replaces a file as a whole: several shims may write the same one.
func (f files) write(kind Kind, revision string, result []byte) error {
	if f.dir == "" {
		return nil
	}
	text, err := jsonline.Marshal(page{f.origin, kind, revision, result})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	temporary := "." + rand.Text() + ".new"
	if err := root.WriteFile(temporary, text, 0o600); err != nil {
		_ = root.Remove(temporary) // half of it
		return err
	}
	if err := root.Rename(temporary, f.name(kind, revision)); err != nil {
		_ = root.Remove(temporary)
		return err
	}
	return nil
}
