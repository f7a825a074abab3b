package seal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

// serviceTime bounds what a key service is given for one key, with all that
// its client does on the way: signing in, and trying again.
const serviceTime = 5 * time.Second

// Service is a key that stays in a key service. It may be used from many
// goroutines. What it is asked to encrypt is at most some 180 bytes.
type Service interface {
	// Name is the address of the key without settings, at most 255 bytes. It
	// is written in front of all that the key wraps, and so never changes.
	Name() string
	// Encrypt returns what Decrypt opens for the same place, a SHA-256 hash.
	// Errors are those of [ServiceError].
	Encrypt(ctx context.Context, plain, place []byte) ([]byte, error)
	// Decrypt is the reverse; [ErrOpen] only where the service itself says
	// that the key does not open this, or not for this place.
	Decrypt(ctx context.Context, sealed, place []byte) ([]byte, error)
}

// NewServiceKEK returns a key-encryption key that asks s. It binds the place
// of a key twice: s is told, and may ignore it, and a hash of it stands in
// front of what is encrypted.
func NewServiceKEK(s Service) KEK { return serviceKEK{s} }

type serviceKEK struct{ service Service }

// ID implements [KEK].
func (k serviceKEK) ID() string { return k.service.Name() }

// Names implements [KEK].
func (k serviceKEK) Names() []string { return []string{k.service.Name()} }

// Wrap implements [KEK].
func (k serviceKEK) Wrap(ctx context.Context, plain []byte, aad AAD) ([]byte, error) {
	place := sha256.Sum256(aad.bytes())
	inner := append(place[:], plain...)
	defer clear(inner)
	sealed, err := k.ask(ctx, func(ctx context.Context) ([]byte, error) { return k.service.Encrypt(ctx, inner, place[:]) })
	if err != nil {
		return nil, err
	}
	name := k.service.Name()
	wrapped := append([]byte{formatNamed, byte(len(name))}, name...)
	return append(wrapped, sealed...), nil
}

// Unwrap implements [KEK].
func (k serviceKEK) Unwrap(ctx context.Context, wrapped []byte, aad AAD) ([]byte, error) {
	name := k.service.Name()
	if WrappedBy(wrapped) != name {
		return nil, ErrOpen
	}
	place := sha256.Sum256(aad.bytes())
	inner, err := k.ask(ctx, func(ctx context.Context) ([]byte, error) {
		return k.service.Decrypt(ctx, wrapped[2+len(name):], place[:])
	})
	if err != nil {
		return nil, err
	}
	if len(inner) < len(place) || subtle.ConstantTimeCompare(inner[:len(place)], place[:]) != 1 {
		clear(inner)
		return nil, ErrOpen
	}
	return inner[len(place):], nil
}

// ask bounds the time of a question, and tells a caller who left from a
// service that is slow.
func (k serviceKEK) ask(ctx context.Context, do func(context.Context) ([]byte, error)) ([]byte, error) {
	bounded, cancel := context.WithTimeout(ctx, serviceTime)
	defer cancel()
	answer, err := do(bounded)
	switch {
	case err == nil, errors.Is(err, ErrOpen):
		return answer, err
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bounded.Err() != nil:
		return nil, ServiceError(k.service.Name(), NoAnswer, "", bounded.Err())
	}
	return nil, err
}

// Trouble is why a key service did not do what it was asked.
type Trouble int

// The troubles. All of them may be over tomorrow: none says that a key is lost.
const (
	NoAnswer    Trouble = iota // it is not reached, fails, or breaks off
	Busy                       // it asks to come back later
	NotSignedIn                // the vault has no credentials that count
	NotAllowed                 // the vault may not use the key
	NoSuchKey                  // the key, or the version that wrapped, is not there
	KeyDisabled                // the key, or the version that wrapped, is switched off
	KeyUnfit                   // the key is of a kind that cannot wrap
	NoSense                    // what answers is not the service that the address promises
)

// String continues a sentence that begins with the service.
func (t Trouble) String() string {
	what, _ := t.words()
	return what
}

// words are what is the matter and what to do.
func (t Trouble) words() (what, todo string) {
	switch t {
	case NoAnswer:
	case Busy:
		return "has too much to do", "Try again in a minute; if that does not help, look at its quota"
	case NotSignedIn:
		return "does not accept the vault's credentials", "Look at them"
	case NotAllowed:
		return "refused: the vault may not use this key", "Let the vault encrypt and decrypt with it"
	case NoSuchKey:
		return "does not have this key or the version of it that is needed", "Check the address of the key-encryption key; if the key was deleted, recover it"
	case KeyDisabled:
		return "says that this key or the version of it that is needed is disabled", "Enable it there"
	case KeyUnfit:
		return "says that this key is not of a kind that can wrap keys", "Name another key"
	case NoSense:
		return "does not answer as such a service does", "Check the address of the key-encryption key, and what lies between"
	}
	return "does not answer", "Check that it runs and can be reached from the vault"
}

// troubled is the cause in what [ServiceError] returns.
type troubled struct {
	trouble Trouble
	cause   error
}

// Error implements error.
func (t *troubled) Error() string {
	if t.cause == nil {
		return "what its client said may hold secrets and is not repeated"
	}
	return t.cause.Error()
}

// Unwrap gives the cause.
func (t *troubled) Unwrap() error { return t.cause }

// ServiceError is a user error with the code Unavailable that says what is
// the matter with the key service of a key of that name. A hint that is not
// empty takes the place of the general one. The cause is for the log: nothing
// that a service says may be in it.
func ServiceError(name string, trouble Trouble, hint string, cause error) error {
	what, todo := trouble.words()
	if hint != "" {
		todo = hint
	}
	return usererr.Wrap(&troubled{trouble, cause}, usererr.Unavailable, "The key service "+name+" "+what, todo)
}

// TroubleOf finds what is the matter in an error of [ServiceError].
func TroubleOf(err error) (Trouble, bool) {
	found, ok := errors.AsType[*troubled](err)
	if !ok {
		return 0, false
	}
	return found.trouble, true
}

// Unreached is what may be logged of an error of a key service's client, if it
// says that no answer came or that it broke off; else nil.
func Unreached(err error) error {
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return failed
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, remote.ErrTooLong, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("no answer (%T)", failed.Err)
	}
	return nil
}

const (
	// maxAnswer bounds what a key service may answer; a wrapped key is a
	// thousandth of it.
	maxAnswer = 1 << 20
	// CredentialTime bounds one question of a vendor's library to those who
	// give it credentials. Such libraries ask on their own, without the time of
	// the call that needs them, and all calls wait for the one answer.
	CredentialTime = 10 * time.Second
)

// ServiceClient returns a client for the library of a key service's vendor. It
// follows no redirect, which could take a credential elsewhere, and hands on
// no endless answer, since the libraries read all there is.
func ServiceClient(next http.RoundTripper) *http.Client {
	return remote.Client(&http.Client{Transport: next}, maxAnswer, 0) // the time is that of the call
}

// CredentialClient is a [ServiceClient] for what gives credentials.
func CredentialClient(next http.RoundTripper) *http.Client {
	return remote.Client(&http.Client{Transport: next}, maxAnswer, CredentialTime)
}

// LimitAnswer bounds an answer that came by another client.
func LimitAnswer(res *http.Response) { res.Body = remote.Limit(res.Body, maxAnswer) }
