package seal_test

import (
	"encoding/base64"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// current names the set of vectors that this version would write. A change of
// any format gets a new name, and -update adds its set to the old ones.
const current = "1"

const vectors = "testdata/vectors.txtar"

var update = flag.Bool("update", false, "add vectors of the current format, if there are none")

const preface = `Values that some version of the vault has sealed. They open for ever: sets are
only ever added (go test ./vault/seal -update), never changed. The keys in here
protect nothing.

`

func readVectors(t *testing.T) *txtar.Archive {
	t.Helper()
	data, err := os.ReadFile(vectors)
	if errors.Is(err, fs.ErrNotExist) && *update {
		return &txtar.Archive{Comment: []byte(preface)}
	} else if err != nil {
		t.Fatal(err)
	}
	return txtar.Parse(data)
}

// sets groups the files NAME/PART of an archive by NAME.
func sets(archive *txtar.Archive) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, file := range archive.Files {
		name, part, _ := strings.Cut(file.Name, "/")
		if all[name] == nil {
			all[name] = map[string]string{}
		}
		all[name][part] = strings.TrimSpace(string(file.Data))
	}
	return all
}

func TestWhatWasSealedOpensForEver(t *testing.T) {
	archive := readVectors(t)
	if _, ok := sets(archive)[current]; !ok && *update {
		addVectors(t, archive)
	}
	all := sets(archive)
	if _, ok := all[current]; !ok {
		t.Errorf("no vectors for format %s: run with -update", current)
	}
	for name, set := range all {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "kek"), []byte(set["kek"]))
			kek, err := seal.OpenKEK(t.Context(), "file:kek", dir, false)
			if err != nil {
				t.Fatal(err)
			}
			box, err := seal.OpenKey(t.Context(), kek, decode(t, set["wrapped"]), place)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := box.Open(decode(t, set["sealed"]), place)
			if err != nil {
				t.Fatal(err)
			}
			store := &shelf{keys: map[string]seal.VaultKey{
				"journal": {Wrapped: decode(t, set["vault-key"])},
				"nonce":   {Wrapped: decode(t, set["vault-secret"])},
			}}
			if _, err := seal.Vault(t.Context(), kek, store, "journal"); err != nil {
				t.Error(err)
			}
			secret, err := seal.VaultSecret(t.Context(), kek, store, "nonce")
			if err != nil {
				t.Error(err)
			}
			got := map[string]string{"kek-id": kek.ID(), "plain": string(plain), "secret": encode(secret)}
			want := map[string]string{"kek-id": set["kek-id"], "plain": set["plain"], "secret": set["secret"]}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func addVectors(t *testing.T, archive *txtar.Archive) {
	t.Helper()
	add := func(part, text string) {
		archive.Files = append(archive.Files, txtar.File{Name: current + "/" + part, Data: []byte(strings.TrimSpace(text) + "\n")})
	}
	dir := t.TempDir()
	kek, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	box, wrapped, err := seal.NewKey(t.Context(), kek, place)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("a token that was never valid"), place)
	if err != nil {
		t.Fatal(err)
	}
	store := &shelf{}
	if _, err := seal.Vault(t.Context(), kek, store, "journal"); err != nil {
		t.Fatal(err)
	}
	secret, err := seal.VaultSecret(t.Context(), kek, store, "nonce")
	if err != nil {
		t.Fatal(err)
	}
	add("kek", string(text))
	add("kek-id", kek.ID())
	add("wrapped", encode(wrapped))
	add("sealed", encode(sealed))
	add("plain", "a token that was never valid")
	add("vault-key", encode(store.keys["journal"].Wrapped))
	add("vault-secret", encode(store.keys["nonce"].Wrapped))
	add("secret", encode(secret))
	if err := os.WriteFile(vectors, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
