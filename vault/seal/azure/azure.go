// Package azure wraps data keys with a key of Azure Key Vault or of a Managed
// HSM, through Microsoft's own client: wrapKey and unwrapKey with RSA-OAEP-256,
// or with A256KW where the key is symmetric.
//
// Neither takes associated data; the hash of the place that [seal] puts in
// front of what is wrapped has to do. What is wrapped names the version of the
// key that did it, so that what an older version wrapped opens after a rotation
// in Key Vault, for as long as that version is enabled there.
package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

const (
	tryTime    = 2 * time.Second
	retryDelay = 200 * time.Millisecond
	// mostDelay is what the service may ask for before it is tried again;
	// for more the caller gets an error now.
	mostDelay = time.Second
)

// The first byte of what the service wrapped says how; the length of the
// version follows, the version, and the result. Numbers are never used again.
const (
	rsaOAEP = 1 // RSA-OAEP-256
	aesKW   = 2 // A256KW of what pad made
)

// keyService is a key of a Key Vault. It implements [seal.Service].
type keyService struct {
	at     keyurl.Key
	client *azkeys.Client
}

// Open returns the key at an address of the kind [keyurl.Azure]. It asks
// nobody.
//
// Credentials are found as Microsoft's DefaultAzureCredential does: in the
// environment, of the workload, of the machine. With identity=system or
// identity=CLIENT-ID only the machine's managed identity of that id counts.
func Open(_ context.Context, at keyurl.Key, way *http.Transport) (seal.Service, error) {
	options := azcore.ClientOptions{
		Transport: direct{seal.ServiceClient(way).Transport},
		Retry:     policy.RetryOptions{MaxRetries: 2, TryTimeout: tryTime, RetryDelay: retryDelay, MaxRetryDelay: mostDelay},
		Telemetry: policy.TelemetryOptions{ApplicationID: "coatcheck-vault"},
	}
	credential, err := credentials(at.Options["identity"], options)
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "The environment has no usable credentials for "+at.Name,
			"Set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret or certificate, or use a managed identity")
	}
	keys, err := azkeys.NewClient("https://"+at.Host, credential, &azkeys.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("making a client for Key Vault: %w", err)
	}
	return &keyService{at, keys}, nil
}

// direct has no redirects at all. [http.Client] rewinds a body before it asks
// whether to follow one, and the library's bodies may still be read then.
type direct struct{ way http.RoundTripper }

// Do implements policy.Transporter. Its errors are those of [http.Client].
func (d direct) Do(r *http.Request) (*http.Response, error) {
	res, err := d.way.RoundTrip(r)
	if err != nil {
		return nil, &url.Error{Op: r.Method, URL: r.URL.Redacted(), Err: err}
	}
	return res, nil
}

func credentials(identity string, options azcore.ClientOptions) (azcore.TokenCredential, error) {
	switch identity {
	case "":
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
	case "system":
		return azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options})
	}
	return azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options, ID: azidentity.ClientID(identity)})
}

// Name implements [seal.Service].
func (k *keyService) Name() string { return k.at.Name }

// Encrypt implements [seal.Service]. The service takes no place.
func (k *keyService) Encrypt(ctx context.Context, plain, _ []byte) ([]byte, error) {
	kind, algorithm := byte(rsaOAEP), azkeys.EncryptionAlgorithmRSAOAEP256
	if k.at.Options["algorithm"] == string(azkeys.EncryptionAlgorithmA256KW) {
		kind, algorithm = aesKW, azkeys.EncryptionAlgorithmA256KW
		plain = pad(plain)
		defer clear(plain)
	}
	pinned := ""
	if len(k.at.Path) > 1 {
		pinned = k.at.Path[1]
	}
	answer, err := k.client.WrapKey(ctx, k.at.Path[0], pinned, azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: plain}, nil)
	if err != nil {
		return nil, k.trouble(err, seal.KeyUnfit)
	}
	if answer.KID == nil || len(answer.Result) == 0 {
		return nil, seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
	}
	version := answer.KID.Version()
	if !version32.MatchString(version) || pinned != "" && version != pinned {
		return nil, seal.ServiceError(k.at.Name, seal.NoSense, "", errors.New("no version, or another one than asked"))
	}
	sealed := append([]byte{kind, byte(len(version))}, version...)
	return append(sealed, answer.Result...), nil
}

var version32 = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)

// Decrypt implements [seal.Service].
func (k *keyService) Decrypt(ctx context.Context, sealed, _ []byte) ([]byte, error) {
	if len(sealed) < 2 || len(sealed) < 2+int(sealed[1]) {
		return nil, seal.ErrOpen
	}
	version, result := string(sealed[2:2+int(sealed[1])]), sealed[2+int(sealed[1]):]
	if !version32.MatchString(version) || len(k.at.Path) > 1 && version != k.at.Path[1] {
		return nil, seal.ErrOpen
	}
	algorithm := azkeys.EncryptionAlgorithmRSAOAEP256
	switch sealed[0] {
	case rsaOAEP:
	case aesKW:
		algorithm = azkeys.EncryptionAlgorithmA256KW
	default:
		return nil, seal.ErrOpen
	}
	// A version that was never there says the same as one that is gone. Damage
	// to it is no ErrOpen, then, but still does not open.
	answer, err := k.client.UnwrapKey(ctx, k.at.Path[0], version, azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: result}, nil)
	if err != nil {
		return nil, k.trouble(err, damaged)
	}
	if len(answer.Result) == 0 {
		return nil, seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
	}
	if algorithm == azkeys.EncryptionAlgorithmA256KW {
		return unpad(answer.Result)
	}
	return answer.Result, nil
}

// pad makes a multiple of eight bytes, which AES Key Wrap needs (RFC 3394
// §2): a one bit follows, then zeros (ISO/IEC 9797-1 method 2).
func pad(plain []byte) []byte {
	padded := append(bytes.Clone(plain), 0x80)
	return append(padded, make([]byte, (8-len(padded)%8)%8)...)
}

func unpad(padded []byte) ([]byte, error) {
	plain := bytes.TrimRight(padded, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != 0x80 || len(padded)-len(plain) > 7 {
		return nil, seal.ErrOpen
	}
	return plain[:len(plain)-1], nil
}

// damaged stands for [seal.ErrOpen] among the troubles.
const damaged seal.Trouble = -1

const allow = "Give the vault's identity the role Key Vault Crypto Service Encryption User on the key, or the permissions wrapKey and unwrapKey"

// trouble says what an error of the client means; wrong is what the service
// means by "bad parameter" here.
func (k *keyService) trouble(err error, wrong seal.Trouble) error {
	var said *azcore.ResponseError
	if !errors.As(err, &said) {
		return k.unanswered(err)
	}
	inner := innerCode(said)
	cause := fmt.Errorf("status %d, %s", said.StatusCode, strings.TrimSpace(word(said.ErrorCode)+" "+word(inner)))
	trouble, hint := seal.NoAnswer, ""
	switch {
	case said.StatusCode == http.StatusBadRequest && said.ErrorCode == "BadParameter" && wrong == damaged:
		return seal.ErrOpen
	case said.StatusCode == http.StatusBadRequest:
		trouble, hint = seal.KeyUnfit, "Use an RSA key of at least 2048 bits, or a 256-bit key of a Managed HSM with algorithm=A256KW"
	case said.StatusCode == http.StatusUnauthorized:
		trouble = seal.NotSignedIn
	case said.StatusCode == http.StatusForbidden && (inner == "KeyDisabled" || inner == "KeyNotYetValidOrExpired"):
		trouble = seal.KeyDisabled
	case said.StatusCode == http.StatusForbidden && strings.HasPrefix(inner, "ForbiddenByFirewall"):
		trouble, hint = seal.NotAllowed, "Let the network of the vault through the firewall of the Key Vault"
	case said.StatusCode == http.StatusForbidden:
		trouble, hint = seal.NotAllowed, allow
	case said.StatusCode == http.StatusNotFound, said.StatusCode == http.StatusConflict:
		trouble = seal.NoSuchKey
	case said.StatusCode == http.StatusTooManyRequests:
		trouble = seal.Busy
	case said.StatusCode < http.StatusInternalServerError:
		trouble = seal.NoSense
	}
	return seal.ServiceError(k.at.Name, trouble, hint, cause)
}

// unanswered is for errors that are no answer of Key Vault. What the client
// of Microsoft's sign-in says may have bytes of the service in it.
func (k *keyService) unanswered(err error) error {
	if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		if res := failed.RawResponse; res != nil && res.StatusCode < http.StatusInternalServerError {
			return seal.ServiceError(k.at.Name, seal.NotSignedIn, "Check the credentials in the environment: the sign-in of Microsoft refused them", fmt.Errorf("status %d", res.StatusCode))
		}
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "The sign-in of Microsoft does not answer as it should", nil)
	}
	if cause := seal.Unreached(err); cause != nil {
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "", cause)
	}
	if _, ok := errors.AsType[unavailable](err); ok {
		return seal.ServiceError(k.at.Name, seal.NotSignedIn, "There are none that work: set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret or certificate, or use a managed identity. If there are, what answers is no Key Vault", nil)
	}
	return seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
}

// unavailable is how the client says that a kind of credentials is not there,
// and that what it was asked for are not those of a Key Vault.
type unavailable interface {
	error
	NonRetriable()
}

// innerCode is what tells a disabled key from one that may not be used.
func innerCode(said *azcore.ResponseError) string {
	if said.RawResponse == nil {
		return ""
	}
	text, err := runtime.Payload(said.RawResponse)
	var body struct {
		Error struct {
			InnerError struct{ Code string }
		}
	}
	if err != nil || json.Unmarshal(text, &body) != nil {
		return ""
	}
	return body.Error.InnerError.Code
}

var plainWord = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// word lets only what looks like a code into the log.
func word(code string) string {
	if plainWord.MatchString(code) {
		return code
	}
	return ""
}
