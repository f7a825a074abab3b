// Package gcp wraps data keys with a symmetric key of Google Cloud KMS,
// through Google's own client for its REST interface.
//
// KMS binds the place of a key as additional authenticated data. Checksums
// (CRC-32C) go with all bytes both ways, so that what a broken machine changed
// is noticed before it is stored. Versions of the key are the service's own
// business: it finds the one that made a ciphertext.
package gcp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
	"google.golang.org/api/cloudkms/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

const (
	tries      = 3
	retryDelay = 200 * time.Millisecond
	scope      = "https://www.googleapis.com/auth/cloudkms"
)

// keyService is a key of Cloud KMS. It implements [seal.Service].
type keyService struct {
	at  keyurl.Key
	way http.RoundTripper

	mu   sync.Mutex
	made *client // guarded by mu: nil until credentials were found
}

type client struct {
	credentials *auth.Credentials
	keys        *cloudkms.ProjectsLocationsKeyRingsCryptoKeysService
}

// Open returns the key at an address of the kind [keyurl.GCP]. It asks nobody:
// credentials are looked for when they are needed first, where Google's tools
// look ("Application Default Credentials").
func Open(_ context.Context, at keyurl.Key, way *http.Transport) (seal.Service, error) {
	return &keyService{at: at, way: seal.ServiceClient(way).Transport}, nil
}

// Name implements [seal.Service].
func (k *keyService) Name() string { return k.at.Name }

func checksum(b []byte) int64 { return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }

// errChanged says that a checksum does not fit.
var errChanged = errors.New("what arrived is not what was sent")

// Encrypt implements [seal.Service].
func (k *keyService) Encrypt(ctx context.Context, plain, place []byte) ([]byte, error) {
	request := &cloudkms.EncryptRequest{
		Plaintext: base64.StdEncoding.EncodeToString(plain), PlaintextCrc32c: checksum(plain),
		AdditionalAuthenticatedData: base64.StdEncoding.EncodeToString(place), AdditionalAuthenticatedDataCrc32c: checksum(place),
		ForceSendFields: []string{"PlaintextCrc32c", "AdditionalAuthenticatedDataCrc32c"}, // a checksum may be 0
	}
	var sealed []byte
	err := k.ask(ctx, func(c *client) error {
		answer, err := c.keys.Encrypt(k.at.Path[0], request).Context(ctx).Do()
		if err != nil {
			return err
		}
		if sealed, err = base64.StdEncoding.DecodeString(answer.Ciphertext); err != nil || len(sealed) == 0 || !strings.HasPrefix(answer.Name, k.at.Path[0]+"/cryptoKeyVersions/") {
			return seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
		}
		if !answer.VerifiedPlaintextCrc32c || !answer.VerifiedAdditionalAuthenticatedDataCrc32c || answer.CiphertextCrc32c != checksum(sealed) {
			return errChanged
		}
		return nil
	})
	return sealed, k.trouble(err)
}

// Decrypt implements [seal.Service].
func (k *keyService) Decrypt(ctx context.Context, sealed, place []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, seal.ErrOpen
	}
	request := &cloudkms.DecryptRequest{
		Ciphertext: base64.StdEncoding.EncodeToString(sealed), CiphertextCrc32c: checksum(sealed),
		AdditionalAuthenticatedData: base64.StdEncoding.EncodeToString(place), AdditionalAuthenticatedDataCrc32c: checksum(place),
		ForceSendFields: []string{"CiphertextCrc32c", "AdditionalAuthenticatedDataCrc32c"},
	}
	var plain []byte
	err := k.ask(ctx, func(c *client) error {
		answer, err := c.keys.Decrypt(k.at.Path[0], request).Context(ctx).Do()
		if err != nil {
			return err
		}
		if plain, err = base64.StdEncoding.DecodeString(answer.Plaintext); err != nil || len(plain) == 0 {
			return seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
		}
		if answer.PlaintextCrc32c != checksum(plain) {
			clear(plain)
			return errChanged
		}
		return nil
	})
	if err != nil {
		return nil, k.trouble(err)
	}
	return plain, nil
}

// ask signs in if need be, and tries again what may be better the next time.
// The client itself tries once.
func (k *keyService) ask(ctx context.Context, do func(*client) error) error {
	c, err := k.client(ctx)
	if err != nil {
		return err
	}
	// Told apart here from what Cloud KMS itself refuses.
	if _, err := c.credentials.Token(ctx); err != nil {
		return k.signInTrouble(err)
	}
	pause := retryDelay
	for try := 1; ; try++ {
		err := do(c)
		if try == tries || !again(err) {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return err
		}
	}
}

// again reports whether to try again.
func again(err error) bool {
	if said, ok := errors.AsType[*googleapi.Error](err); ok {
		return said.Code == http.StatusTooManyRequests || said.Code >= http.StatusInternalServerError
	}
	return errors.Is(err, errChanged) || err != nil && seal.Unreached(err) != nil
}

// client finds credentials. Who comes at once may do it twice; no lock is held
// meanwhile, since the machine may be asked.
func (k *keyService) client(ctx context.Context) (*client, error) {
	k.mu.Lock()
	made := k.made
	k.mu.Unlock()
	if made != nil {
		return made, nil
	}
	found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: []string{scope}, Client: seal.CredentialClient(k.way)})
	if err != nil {
		return nil, k.signInTrouble(err)
	}
	authorized, err := httptransport.NewClient(&httptransport.Options{Credentials: found, BaseRoundTripper: k.way, DisableTelemetry: true})
	if err != nil {
		return nil, k.signInTrouble(err)
	}
	authorized.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	// The context is for signing in, which is done already.
	service, err := cloudkms.NewService(context.WithoutCancel(ctx), option.WithHTTPClient(authorized))
	if err != nil {
		return nil, fmt.Errorf("making a client for Cloud KMS: %w", err)
	}
	service.UserAgent = "coatcheck-vault"
	made = &client{found, service.Projects.Locations.KeyRings.CryptoKeys}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.made = made
	return made, nil
}

// signInTrouble says what an error on the way to a token means. Its text may
// have bytes of the sign-in in it.
func (k *keyService) signInTrouble(err error) error {
	if said, ok := errors.AsType[*auth.Error](err); ok && said.Response != nil {
		cause := fmt.Errorf("status %d of the sign-in", said.Response.StatusCode)
		if said.Response.StatusCode >= http.StatusInternalServerError {
			return seal.ServiceError(k.at.Name, seal.NoAnswer, "The sign-in of Google does not answer as it should", cause)
		}
		return seal.ServiceError(k.at.Name, seal.NotSignedIn, "Check the credentials, and the clock of this machine: the sign-in of Google refused them", cause)
	}
	if cause := seal.Unreached(err); cause != nil {
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "Check that the sign-in of Google can be reached from the vault", cause)
	}
	return seal.ServiceError(k.at.Name, seal.NotSignedIn, "There are none that work: name their file in GOOGLE_APPLICATION_CREDENTIALS, or give the workload or the machine a service account", nil)
}

var plainWord = regexp.MustCompile(`^[A-Z_]{1,64}$`)

// trouble says what an error of [keyService.ask] means.
func (k *keyService) trouble(err error) error {
	if err == nil {
		return nil
	}
	said, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return k.unanswered(err)
	}
	var body struct {
		Error struct{ Status, Message string }
	}
	if json.Unmarshal([]byte(said.Body), &body) != nil || !plainWord.MatchString(body.Error.Status) {
		body.Error.Status = ""
	}
	// Both a damaged ciphertext and a wrong place are said so, and in words
	// only; so is a checksum that does not fit, with the same status.
	if body.Error.Status == "INVALID_ARGUMENT" && strings.HasPrefix(body.Error.Message, "Decryption failed") {
		return seal.ErrOpen
	}
	if body.Error.Status == "INVALID_ARGUMENT" && strings.Contains(body.Error.Message, "checksum") {
		return k.unanswered(errChanged)
	}
	cause := fmt.Errorf("status %d, %s", said.Code, body.Error.Status)
	trouble, hint := seal.NoSense, ""
	switch {
	case body.Error.Status == "FAILED_PRECONDITION":
		trouble, hint = seal.KeyDisabled, "Enable or restore it in Cloud KMS; if it is new, give it a primary version"
	case body.Error.Status == "INVALID_ARGUMENT":
		trouble, hint = seal.KeyUnfit, "Use a key with the purpose of symmetric encryption and decryption"
	case said.Code == http.StatusUnauthorized:
		trouble = seal.NotSignedIn
	case said.Code == http.StatusForbidden:
		trouble, hint = seal.NotAllowed, "Give the vault's service account the role Cloud KMS CryptoKey Encrypter/Decrypter on the key, and enable the Cloud KMS API"
	case said.Code == http.StatusNotFound:
		trouble = seal.NoSuchKey
	case said.Code == http.StatusTooManyRequests:
		trouble = seal.Busy
	case said.Code >= http.StatusInternalServerError:
		trouble = seal.NoAnswer
	}
	return seal.ServiceError(k.at.Name, trouble, hint, cause)
}

// unanswered is for errors that are no answer of Cloud KMS, and for those
// that have been explained already.
func (k *keyService) unanswered(err error) error {
	if _, ok := usererr.From(err); ok {
		return err
	}
	if errors.Is(err, errChanged) {
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "Its checksums do not fit: look at what lies between, and at this machine's memory", errChanged)
	}
	if cause := seal.Unreached(err); cause != nil {
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "", cause)
	}
	return seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
}
