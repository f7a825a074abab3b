package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/notefile"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	keyName = "coatcheck-vault"
	origin  = keyName + "/audit" // of the vault's own chain; a tenant's has "/" and its name behind it
	maxNote = notefile.MaxNote
	// signatureSize is a key's id and an Ed25519 signature.
	signatureSize = 4 + ed25519.SignatureSize
)

// Checkpoint is what somebody with the vault's key signed: that a chain once
// ended there.
type Checkpoint struct {
	Tenant identity.TenantID
	Head
	Line int    // of the file, at which it begins
	Name string // where it is, if it is no part of a file
}

func (c Checkpoint) where() string {
	if c.Name != "" {
		return c.Name
	}
	return fmt.Sprintf("checkpoint in line %d", c.Line)
}

// Key signs checkpoints.
type Key struct {
	private  ed25519.PrivateKey
	verifier note.Verifier
	text     string
}

// NewKey makes the key that belongs to 32 secret bytes.
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, errors.New("a key for audit checkpoints is made from 32 bytes")
	}
	k := &Key{private: ed25519.NewKeyFromSeed(seed)}
	public, _ := k.private.Public().(ed25519.PublicKey)
	var err error
	if k.text, err = note.NewEd25519VerifierKey(keyName, public); err != nil {
		return nil, errors.New("making the key for audit checkpoints")
	}
	if k.verifier, err = note.NewVerifier(k.text); err != nil {
		return nil, errors.New("making the key for audit checkpoints")
	}
	return k, nil
}

// Verifier is the public half, in the form of C2SP signed-note ("vkey").
func (k *Key) Verifier() string { return k.text }

// signer is a key as package note wants it.
type signer struct{ *Key }

func (s signer) Name() string                    { return s.verifier.Name() }
func (s signer) KeyHash() uint32                 { return s.verifier.KeyHash() }
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

// Sign returns a checkpoint as a C2SP signed note whose text is that of a C2SP
// checkpoint, with the hash of the last record in the place of a tree's root.
func (k *Key) Sign(tenant identity.TenantID, head Head) ([]byte, error) {
	text := originOf(tenant) + "\n" + strconv.FormatInt(head.Seq, 10) + "\n" + base64.StdEncoding.EncodeToString(head.Hash) + "\n"
	signed, err := note.Sign(&note.Note{Text: text}, signer{k})
	if err != nil {
		return nil, fmt.Errorf("signing an audit checkpoint of tenant %q: %w", tenant, err)
	}
	return signed, nil
}

func originOf(tenant identity.TenantID) string {
	if tenant == "" {
		return origin
	}
	return origin + "/" + url.PathEscape(string(tenant))
}

// CheckpointError says what is wrong with a file of checkpoints.
type CheckpointError struct {
	Line int // 0 for the key
	What string
}

// Error implements error.
func (e *CheckpointError) Error() string {
	if e.Line == 0 {
		return e.What
	}
	return fmt.Sprintf("the checkpoint in line %d %s", e.Line, e.What)
}

// errTorn is half a checkpoint, as a crash leaves it: it proves nothing.
var errTorn = errors.New("half a checkpoint")

// ReadCheckpoints reads a file that a [Notary] wrote and checks that each
// checkpoint is signed by the key with the verifier key vkey. It counts those
// that a crash or a full disk cut short. A file with anything else in it is a
// [CheckpointError].
func ReadCheckpoints(file io.Reader, vkey string) (list []Checkpoint, torn int, err error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, 0, &CheckpointError{What: "the verifier key is not one: it looks like " + keyName + "+1234abcd+AVmX…"}
	}
	err = notefile.Each(file, origin, func(line int, text []byte) error {
		c, err := openNote(text, line, verifier)
		if errors.Is(err, errTorn) {
			torn++
			return nil
		}
		if err == nil {
			list = append(list, c)
		}
		return err
	})
	if long, ok := errors.AsType[*notefile.TooLongError](err); ok {
		err = &CheckpointError{long.Line, "is too long"}
	}
	return list, torn, err
}

// openNote reads one note.
func openNote(text []byte, line int, verifier note.Verifier) (Checkpoint, error) {
	c := Checkpoint{Line: line}
	signatures := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	shortest := len("— ") + len(verifier.Name()) + len(" ") + base64.StdEncoding.EncodedLen(signatureSize)
	opened, err := note.Open(text, note.VerifierList(verifier))
	if _, invalid := errors.AsType[*note.InvalidSignatureError](err); invalid && len(signatures[len(signatures)-1]) >= shortest {
		return c, &CheckpointError{line, "was changed after it was signed"}
	} else if _, foreign := errors.AsType[*note.UnverifiedNoteError](err); foreign {
		return c, &CheckpointError{line, "is not signed by this key"}
	} else if err != nil {
		return c, errTorn
	}
	lines := strings.Split(opened.Text, "\n") // what may follow the three is for later versions
	if len(lines) >= 4 {
		tenant, chain := strings.CutPrefix(lines[0], origin)
		name, escaped := url.PathUnescape(strings.TrimPrefix(tenant, "/"))
		seq, number := strconv.ParseInt(lines[1], 10, 64)
		hash, encoded := base64.StdEncoding.DecodeString(lines[2])
		c.Tenant, c.Head = identity.TenantID(name), Head{seq, hash}
		if chain && seq > 0 && escaped == nil && number == nil && encoded == nil && originOf(c.Tenant) == lines[0] {
			return c, nil
		}
	}
	return c, &CheckpointError{line, "is signed, but says nothing of an audit chain"}
}
