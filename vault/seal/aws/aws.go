// Package aws wraps data keys with a symmetric key of AWS KMS, through Amazon's
// own client.
//
// KMS binds the place of a key as encryption context: a hash, since contexts
// are written into the account's CloudTrail. What is wrapped names the ARN of
// the key that did it, so that it opens after an alias was pointed at another
// key; versions of its material are the service's own business.
package aws

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

const (
	tries     = 3
	mostDelay = time.Second
	// contextName names the place in the encryption context. It never changes.
	contextName = "coatcheck-place"
	// form is the first byte of what was wrapped; the length of the key's ARN
	// follows, the ARN, and what KMS made.
	form = 1
)

// keyARN has the region and the account of a key.
var keyARN = regexp.MustCompile(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):([0-9]{12}):key/[A-Za-z0-9-]{1,64}$`)

// keyService is a key of KMS. It implements [seal.Service].
type keyService struct {
	at          keyurl.Key
	client      *kms.Client
	credentials aws.CredentialsProvider

	mu      sync.Mutex
	account string // guarded by mu: that of an alias, once known
}

// Open returns the key at an address of the kind [keyurl.AWS]. It asks nobody.
// Credentials are found where Amazon's tools look: in the environment, in its
// shared files, of the workload, of the machine. AWS_CA_BUNDLE counts as well
// as what way trusts.
func Open(ctx context.Context, at keyurl.Key, way *http.Transport) (seal.Service, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(at.Region), config.WithHTTPClient(buildable(way)), config.WithAppID("coatcheck-vault"), config.WithLogger(logging.Nop{}),
		config.WithAPIOptions([]func(*middleware.Stack) error{limitAnswers}),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = seal.CredentialClient(local(way)) }),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = tries, mostDelay })
		}))
	if err != nil {
		// The text may have a line of a file with credentials in it.
		return nil, usererr.Wrap(fmt.Errorf("%T", err), usererr.Settings, "The environment or the shared files of AWS cannot be used for "+at.Name,
			"Check AWS_… in the environment, and the files that it names")
	}
	client := kms.NewFromConfig(cfg, func(o *kms.Options) {
		if built, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = seal.ServiceClient(built.GetTransport())
		}
	})
	return &keyService{at: at, client: client, credentials: cfg.Credentials}, nil
}

// buildable is what the library makes its clients of: with another kind
// AWS_CA_BUNDLE would be an error. It follows no redirect.
func buildable(way *http.Transport) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(seal.CredentialTime).WithTransportOptions(func(t *http.Transport) {
		t.DialContext, t.ResponseHeaderTimeout = way.DialContext, way.ResponseHeaderTimeout
		// Of all that the library leaves as it is, this alone sees a request
		// before it goes anywhere.
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if r.Response != nil {
				return nil, errRedirect
			}
			if way.Proxy == nil {
				return nil, nil
			}
			return way.Proxy(r)
		}
		if way.TLSClientConfig != nil {
			t.TLSClientConfig = way.TLSClientConfig.Clone()
		}
	})
}

var errRedirect = errors.New("it is sent elsewhere, which is not followed")

// local is a way to the machine's own addresses.
func local(way *http.Transport) *http.Transport {
	direct := way.Clone()
	direct.Proxy = nil
	return direct
}

// limitAnswers bounds all that clients of the library read, those that give
// credentials too.
func limitAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("coatcheck:limitAnswers",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			out, md, err := next.HandleDeserialize(ctx, in)
			if res, ok := out.RawResponse.(*smithyhttp.Response); ok && res != nil && res.Response != nil && res.Body != nil {
				seal.LimitAnswer(res.Response)
			}
			return out, md, err
		}), middleware.After)
}

// Name implements [seal.Service].
func (k *keyService) Name() string { return k.at.Name }

// bound is the encryption context of a place.
func bound(place []byte) map[string]string {
	return map[string]string{contextName: hex.EncodeToString(place)}
}

// Encrypt implements [seal.Service].
func (k *keyService) Encrypt(ctx context.Context, plain, place []byte) ([]byte, error) {
	if err := k.signedIn(ctx); err != nil {
		return nil, err
	}
	answer, err := k.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &k.at.Path[0], Plaintext: plain, EncryptionContext: bound(place)})
	if err != nil {
		return nil, k.trouble(err)
	}
	arn := aws.ToString(answer.KeyId)
	found := keyARN.FindStringSubmatch(arn)
	if found == nil || found[1] != k.at.Region || len(arn) > 255 || len(answer.CiphertextBlob) == 0 {
		return nil, seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
	}
	k.mu.Lock()
	k.account = found[2]
	k.mu.Unlock()
	sealed := append([]byte{form, byte(len(arn))}, arn...)
	return append(sealed, answer.CiphertextBlob...), nil
}

// Decrypt implements [seal.Service].
func (k *keyService) Decrypt(ctx context.Context, sealed, place []byte) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != form || len(sealed) < 2+int(sealed[1]) {
		return nil, seal.ErrOpen
	}
	arn, blob := string(sealed[2:2+int(sealed[1])]), sealed[2+int(sealed[1]):]
	if err := k.signedIn(ctx); err != nil {
		return nil, err
	}
	if mine, err := k.mine(ctx, arn); err != nil {
		return nil, err
	} else if !mine {
		return nil, seal.ErrOpen
	}
	answer, err := k.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob, EncryptionContext: bound(place)})
	if err != nil {
		return nil, k.trouble(err)
	}
	if aws.ToString(answer.KeyId) != arn || len(answer.Plaintext) == 0 {
		return nil, seal.ServiceError(k.at.Name, seal.NoSense, "", nil)
	}
	return answer.Plaintext, nil
}

// mine reports whether the address may have meant that key. An address with a
// key's ARN means it alone. An alias may have named other keys of its account;
// one of another account, which whoever writes into the store may own, it
// never named.
func (k *keyService) mine(ctx context.Context, arn string) (bool, error) {
	found := keyARN.FindStringSubmatch(arn)
	if found == nil || found[1] != k.at.Region {
		return false, nil
	}
	if keyARN.MatchString(k.at.Path[0]) {
		return arn == k.at.Path[0], nil
	}
	if parts := strings.Split(k.at.Path[0], ":"); len(parts) > 4 {
		return parts[4] == found[2], nil
	}
	k.mu.Lock()
	account := k.account
	k.mu.Unlock()
	if account == "" {
		// The answer to an encryption names the key: no further permission is
		// needed to learn whose it is.
		if _, err := k.Encrypt(ctx, []byte{0}, nil); err != nil {
			return false, err
		}
		k.mu.Lock()
		account = k.account
		k.mu.Unlock()
	}
	return account == found[2], nil
}

// signedIn tells credentials that cannot be had from a service that is down.
func (k *keyService) signedIn(ctx context.Context) error {
	if _, err := k.credentials.Retrieve(ctx); err != nil {
		return seal.ServiceError(k.at.Name, seal.NotSignedIn, "There are none that work: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the workload or the machine a role", seal.Unreached(err))
	}
	return nil
}

// troubles are the documented errors of KMS ("Common errors" and those of
// Encrypt and Decrypt). What is not in it goes by the status.
func troubles(code string) (seal.Trouble, string, bool) {
	switch code {
	case "DisabledException":
		return seal.KeyDisabled, "", true
	case "KMSInvalidStateException":
		return seal.KeyDisabled, "It waits for its deletion, or lacks its material: cancel the deletion or import it", true
	case "NotFoundException":
		return seal.NoSuchKey, "", true
	case "AccessDeniedException":
		return seal.NotAllowed, "Let the policy of the key and that of the vault's role allow kms:Encrypt and kms:Decrypt", true
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken", "InvalidSignatureException",
		"SignatureDoesNotMatch", "MissingAuthenticationTokenException", "MissingAuthenticationToken", "IncompleteSignature", "IncompleteSignatureException":
		return seal.NotSignedIn, "Check the credentials, and the clock of this machine", true
	case "InvalidKeyUsageException", "UnsupportedOperationException":
		return seal.KeyUnfit, "Use a symmetric key for encryption and decryption", true
	case "ThrottlingException", "LimitExceededException", "RequestLimitExceeded", "TooManyRequestsException":
		return seal.Busy, "", true
	case "KeyUnavailableException", "DependencyTimeoutException", "KMSInternalException", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException":
		return seal.NoAnswer, "", true
	}
	return 0, "", false
}

var plainWord = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// trouble says what an error of the client means.
func (k *keyService) trouble(err error) error {
	status := 0
	if answered, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = answered.HTTPStatusCode()
	}
	code := ""
	if said, ok := errors.AsType[smithy.APIError](err); ok && plainWord.MatchString(said.ErrorCode()) {
		code = said.ErrorCode()
	}
	if code == "InvalidCiphertextException" || code == "IncorrectKeyException" {
		return seal.ErrOpen
	}
	cause := fmt.Errorf("status %d, %s", status, code)
	if trouble, hint, ok := troubles(code); ok {
		return seal.ServiceError(k.at.Name, trouble, hint, cause)
	}
	switch {
	case status == http.StatusTooManyRequests:
		return seal.ServiceError(k.at.Name, seal.Busy, "", cause)
	case status >= http.StatusInternalServerError:
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "", cause)
	}
	if unreached := seal.Unreached(err); unreached != nil {
		return seal.ServiceError(k.at.Name, seal.NoAnswer, "", unreached)
	}
	return seal.ServiceError(k.at.Name, seal.NoSense, "", cause)
}
