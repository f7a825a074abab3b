package keysim

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const (
	awsAccess  = "AKIDEXAMPLE"
	awsSecret  = "CANARY-aws-secret"
	awsRegion  = "eu-central-1"
	awsAccount = "111122223333"
)

// AWSKey is a symmetric key of KMS with an alias: what Encrypt and Decrypt do
// ("AWS KMS API Reference", JSON 1.1), for requests with a true signature.
type AWSKey struct {
	*keyring
	arn   string
	alias string // for which the key was made; "" without
	other string // the ARN that the alias names now, if it was moved; guarded by keyring.mu
}

// AWS puts KMS with one key into the net, and sets the environment by which
// the vendor's client finds its credentials.
func (n *Net) AWS(t *testing.T) *AWSKey {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": awsAccess, "AWS_SECRET_ACCESS_KEY": awsSecret, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_ENDPOINT_URL": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	k := &AWSKey{keyring: &keyring{fresh: numbered}, arn: "arn:aws:kms:" + awsRegion + ":" + awsAccount + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"}
	k.Rotate()
	n.handle("kms."+awsRegion+".amazonaws.com", k)
	return k
}

// AWSAlias is [Net.AWS] with a key that goes by an alias.
func (n *Net) AWSAlias(t *testing.T) *AWSKey {
	k := n.AWS(t)
	k.alias = "alias/coatcheck"
	return k
}

// URL implements [Key].
func (k *AWSKey) URL() string {
	if k.alias != "" {
		return "awskms:///" + k.alias + "?region=" + awsRegion
	}
	return "awskms://" + k.arn
}

// Move points the alias at another key of the account.
func (k *AWSKey) Move(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.other = k.arn[:strings.LastIndexByte(k.arn, '/')+1] + id
}

// key is the ARN of the key that an id of a request means, "" for none.
func (k *AWSKey) key(id string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.alias != "" && id == k.alias && k.other != "":
		return k.other
	case k.alias != "" && id == k.alias, id == k.arn:
		return k.arn
	case k.other != "" && id == k.other:
		return k.other
	}
	return ""
}

type awsBody struct {
	KeyID             string            `json:"KeyId,omitempty"`
	Plaintext         []byte            `json:",omitempty"`
	CiphertextBlob    []byte            `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
	Algorithm         string            `json:"EncryptionAlgorithm,omitempty"`
}

func awsRefuse(w http.ResponseWriter, code string) {
	status := http.StatusBadRequest
	if strings.HasPrefix(code, "KMSInternal") {
		status = http.StatusInternalServerError
	}
	w.Header().Set("X-Amzn-Requestid", "0")
	reply(w, status, map[string]string{"__type": code, "message": "CANARY"})
}

// ServeHTTP implements [http.Handler].
func (k *AWSKey) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body)) // for the test
	if k.answered(w, r) {
		return
	}
	verb, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	var in awsBody
	switch {
	case !signedAWS(r, body):
		awsRefuse(w, "InvalidSignatureException")
	case r.Method != http.MethodPost || !ok || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || json.Unmarshal(body, &in) != nil:
		awsRefuse(w, "UnknownOperationException")
	default:
		k.serve(w, verb, in)
	}
}

func (k *AWSKey) serve(w http.ResponseWriter, verb string, in awsBody) {
	arn := k.key(in.KeyID)
	number, blob := "", in.CiphertextBlob
	made := ""
	if verb == "Decrypt" {
		head, rest, ok := bytes.Cut(blob, []byte{0})
		madeBy, version, ok2 := strings.Cut(string(head), "#")
		if !ok || !ok2 {
			awsRefuse(w, "InvalidCiphertextException")
			return
		}
		made, number, blob = madeBy, version, rest
	}
	v, state := k.pick(number)
	switch {
	case state == Forbidden:
		awsRefuse(w, "AccessDeniedException")
	case arn == "", state == Deleted && v.ID != "":
		awsRefuse(w, "NotFoundException")
	case state == Deleted: // no such version
		awsRefuse(w, "InvalidCiphertextException")
	case state == Disabled && number == "" || k.is(Disabled):
		awsRefuse(w, "DisabledException")
	case state == Unfit:
		awsRefuse(w, "InvalidKeyUsageException")
	case verb == "Encrypt":
		made := newGCM(v).seal(in.Plaintext, awsContext(arn, in.EncryptionContext))
		reply(w, http.StatusOK, awsBody{KeyID: arn, CiphertextBlob: append([]byte(arn+"#"+v.ID+"\x00"), made...), Algorithm: "SYMMETRIC_DEFAULT"})
	case verb == "Decrypt":
		plain, ok := newGCM(v).open(blob, awsContext(made, in.EncryptionContext))
		if !ok {
			awsRefuse(w, "InvalidCiphertextException")
			return
		}
		if made != arn {
			awsRefuse(w, "IncorrectKeyException")
			return
		}
		reply(w, http.StatusOK, awsBody{KeyID: arn, Plaintext: plain, Algorithm: "SYMMETRIC_DEFAULT"})
	default:
		awsRefuse(w, "UnknownOperationException")
	}
}

func awsContext(arn string, context map[string]string) []byte {
	text, err := json.Marshal(context) // sorted by name
	if err != nil {
		panic(err) // texts only
	}
	return append([]byte(arn), text...)
}

// signedAWS checks a signature ("Signature Version 4").
func signedAWS(r *http.Request, body []byte) bool {
	fields := map[string]string{}
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	for _, part := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if !ok || len(scope) != 5 || scope[0] != awsAccess || scope[2] != awsRegion || scope[3] != "kms" {
		return false
	}
	signed := strings.Split(fields["SignedHeaders"], ";")
	if !slices.Contains(signed, "host") || !slices.Contains(signed, "x-amz-date") {
		return false
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, (&url.URL{Path: r.URL.Path}).EscapedPath(), r.URL.RawQuery)
	for _, name := range signed {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.TrimSpace(value))
	}
	fmt.Fprintf(&canonical, "\n%s\n%x", fields["SignedHeaders"], sha256.Sum256(body))
	key := []byte("AWS4" + awsSecret)
	for _, part := range scope[1:] {
		key = hmacSHA256(key, part)
	}
	toSign := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), sha256.Sum256([]byte(canonical.String())))
	return hmac.Equal([]byte(hex.EncodeToString(hmacSHA256(key, toSign))), []byte(fields["Signature"]))
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, text) // a hash never fails
	return mac.Sum(nil)
}
