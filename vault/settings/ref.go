package settings

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

// Ref says where a secret is: file:NAME or env:NAME. The reference itself is
// no secret and may be shown.
type Ref string

const maxSecret = 16 << 10

// fetch returns the secret. Its errors are for people and never show it, nor a
// reference that is none: it may be the secret itself.
func (ref Ref) fetch(dir string, env map[string]string) (secret.String, error) {
	kind, name, _ := strings.Cut(string(ref), ":")
	var text string
	switch {
	case kind == "env" && name != "":
		text = env[name]
		if text == "" {
			return secret.String{}, errors.New("the environment has no " + name)
		}
	case kind == "file" && name != "":
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		data, err := readSecret(name)
		if err != nil {
			return secret.String{}, errors.New("the file " + name + " cannot be read, or is too large")
		}
		text = data
	default:
		return secret.String{}, errors.New("must be a reference, env:NAME or file:NAME, never the secret itself")
	}
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return secret.String{}, errors.New("what it refers to is empty")
	}
	return secret.New(text), nil
}

func readSecret(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(data) > maxSecret {
		err = errors.New("too large")
	}
	return string(data), err
}
