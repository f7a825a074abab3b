package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// place is a full AAD; the tests move values away from it field by field.
var place = seal.AAD{Purpose: "grant", Tenant: "acme", Person: "p_1", Grant: "g_1", Field: "access", Version: 7}

// elsewhere are places that must not be mistaken for place: each field, and
// texts that look alike when they are only put behind each other.
func elsewhere() map[string]seal.AAD {
	all := map[string]seal.AAD{"nowhere": {}}
	move := func(name string, change func(*seal.AAD)) {
		a := place
		change(&a)
		all[name] = a
	}
	move("purpose", func(a *seal.AAD) { a.Purpose = "journal" })
	move("tenant", func(a *seal.AAD) { a.Tenant = "other" })
	move("person", func(a *seal.AAD) { a.Person = "p_2" })
	move("grant", func(a *seal.AAD) { a.Grant = "g_2" })
	move("field", func(a *seal.AAD) { a.Field = "refresh" })
	move("version", func(a *seal.AAD) { a.Version++ })
	move("boundary", func(a *seal.AAD) { a.Tenant, a.Person = "acmep", "_1" })
	move("swapped", func(a *seal.AAD) { a.Person, a.Grant = a.Grant, a.Person })
	move("emptied", func(a *seal.AAD) { a.Tenant, a.Person = "", "acmep_1" })
	return all
}

func newKEK(t testing.TB) seal.KEK {
	t.Helper()
	kek, err := seal.OpenKEK(t.Context(), "file:kek", t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func TestAValueOpensOnlyInItsPlace(t *testing.T) {
	box, _, err := seal.NewKey(t.Context(), newKEK(t), place)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("canary"), place)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("canary")) {
		t.Error("the sealed value shows its text")
	}
	if plain, err := box.Open(sealed, place); err != nil || string(plain) != "canary" {
		t.Errorf("Open = %q, %v; want canary", plain, err)
	}
	for name, aad := range elsewhere() {
		if plain, err := box.Open(sealed, aad); !errors.Is(err, seal.ErrOpen) || plain != nil {
			t.Errorf("%s: Open = %q, %v; want ErrOpen", name, plain, err)
		}
	}
}

func TestAWrappedKeyOpensOnlyInItsPlaceAndUnderItsKEK(t *testing.T) {
	kek := newKEK(t)
	box, wrapped, err := seal.NewKey(t.Context(), kek, place)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.OpenKey(t.Context(), kek, wrapped, place)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("canary"), place)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, place); err != nil || string(plain) != "canary" {
		t.Errorf("Open with the unwrapped key = %q, %v; want canary", plain, err)
	}
	for name, aad := range elsewhere() {
		if _, err := seal.OpenKey(t.Context(), kek, wrapped, aad); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: OpenKey = %v; want ErrOpen", name, err)
		}
	}
	if _, err := seal.OpenKey(t.Context(), newKEK(t), wrapped, place); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("OpenKey under another KEK = %v; want ErrOpen", err)
	}
	other, _, err := seal.NewKey(t.Context(), kek, place)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed, place); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("Open with another data key of the same place = %v; want ErrOpen", err)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	kek := newKEK(t)
	box, wrapped, err := seal.NewKey(t.Context(), kek, place)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := box.Seal([]byte("canary"), place)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		if _, err := box.Open(flipped(sealed, i), place); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("byte %d of a value flipped: %v; want ErrOpen", i, err)
		}
		if _, err := box.Open(sealed[:i], place); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("a value cut to %d bytes: %v; want ErrOpen", i, err)
		}
	}
	for i := range wrapped {
		if _, err := seal.OpenKey(t.Context(), kek, flipped(wrapped, i), place); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("byte %d of a wrapped key flipped: %v; want ErrOpen", i, err)
		}
	}
}

func flipped(b []byte, i int) []byte {
	c := bytes.Clone(b)
	c[i] ^= 1
	return c
}

func TestTheSameTextNeverLooksTheSame(t *testing.T) {
	box, _, err := seal.NewKey(t.Context(), newKEK(t), place)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := box.Seal([]byte("canary"), place)
	second, _ := box.Seal([]byte("canary"), place)
	if bytes.Equal(first, second) {
		t.Error("two values sealed alike")
	}
	if empty, err := box.Seal(nil, place); err != nil {
		t.Error(err)
	} else if plain, err := box.Open(empty, place); err != nil || len(plain) != 0 {
		t.Errorf("Open of nothing = %q, %v", plain, err)
	}
}

func TestTheZeroBoxDoesNothing(t *testing.T) {
	var box seal.Box
	if _, err := box.Seal([]byte("x"), place); err == nil {
		t.Error("the zero Box sealed")
	}
	if _, err := box.Open([]byte{1, 2}, place); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("Open of the zero Box = %v; want ErrOpen", err)
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	dir := t.TempDir()
	kek, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	box, _, err := seal.NewKey(t.Context(), kek, place)
	if err != nil {
		t.Fatal(err)
	}
	material := keyMaterial(t, filepath.Join(dir, "kek"))
	raw, err := base64.StdEncoding.DecodeString(material)
	if err != nil {
		t.Fatal(err)
	}
	decimal := strings.Trim(fmt.Sprint(raw[8:]), "[]")
	text := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", kek, kek, kek, kek.ID(), box, box, box)
	if strings.Contains(text, material) || strings.Contains(text, decimal) {
		t.Errorf("printing shows the key: %s", text)
	}
}

func FuzzOpen(f *testing.F) {
	box, _, err := seal.NewKey(f.Context(), newKEK(f), place)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := box.Seal([]byte("canary"), place)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:6])
	f.Add([]byte{1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, err := box.Open(data, place)
		if bytes.Equal(data, sealed) {
			if err != nil || string(plain) != "canary" {
				t.Errorf("the true value: %q, %v", plain, err)
			}
		} else if !errors.Is(err, seal.ErrOpen) || plain != nil {
			t.Errorf("a forged value: %q, %v; want ErrOpen", plain, err)
		}
	})
}

func FuzzOpenKey(f *testing.F) {
	kek := newKEK(f)
	_, wrapped, err := seal.NewKey(f.Context(), kek, place)
	if err != nil {
		f.Fatal(err)
	}
	// A value that is properly wrapped but is no keyset gets past the KEK.
	nonsense, err := kek.Wrap(f.Context(), []byte("no keyset"), place)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wrapped)
	f.Add(nonsense)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := seal.OpenKey(t.Context(), kek, data, place)
		if !bytes.Equal(data, wrapped) && !errors.Is(err, seal.ErrOpen) {
			t.Errorf("a forged key: %v; want ErrOpen", err)
		}
	})
}
