package dpop

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Replay remembers proofs. Remember stores id until then and returns
// [ErrReplayed] if it is stored already; any other error refuses the proof.
type Replay interface {
	Remember(ctx context.Context, id string, until time.Time) error
}

// VerifierConfig says what a [Verifier] works with. Both are required.
type VerifierConfig struct {
	Nonces *Nonces
	Replay Replay
}

// Verifier checks proofs.
type Verifier struct {
	nonces *Nonces
	replay Replay
}

// NewVerifier returns a verifier.
func NewVerifier(cfg VerifierConfig) *Verifier {
	return &Verifier{nonces: cfg.Nonces, replay: cfg.Replay}
}

// Verify checks that proof is a good one for method at address, a URL that the
// server knows itself by, and returns the thumbprint of the key. Its errors are
// [ErrInvalid], [ErrNonce], [ErrReplayed], which comes with the thumbprint, or
// what the replay store said when it could not tell, which refuses as well.
func (v *Verifier) Verify(ctx context.Context, proof, method, address string) (thumbprint string, err error) {
	key, payload, err := open(proof)
	if err != nil {
		return "", err
	}
	var said claims
	if err := json.Unmarshal(payload, &said); err != nil {
		return "", invalid("claims")
	}
	if err := said.check(method, address); err != nil {
		return "", err
	}
	until, err := v.nonces.expiry(said.Nonce)
	if err != nil {
		return "", err
	}
	if thumbprint, err = Thumbprint(key); err != nil {
		return "", invalid("key")
	}
	// A hash, so that the store learns nothing and its rows have one length.
	sum := sha256.Sum256([]byte(thumbprint + "\x00" + said.ID))
	if err := v.replay.Remember(ctx, base64.RawURLEncoding.EncodeToString(sum[:]), until); err != nil {
		if errors.Is(err, ErrReplayed) {
			return thumbprint, ErrReplayed
		}
		return "", fmt.Errorf("remembering a DPoP proof: %w", err)
	}
	return thumbprint, nil
}

func invalid(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }

// open checks form, header and signature of a proof (RFC 9449 §4.3, 2 to 7).
func open(proof string) (*ecdsa.PublicKey, []byte, error) {
	if proof == "" || len(proof) > MaxProof {
		return nil, nil, invalid("size")
	}
	// The decoder skips line breaks; a header value must not have any.
	if strings.Trim(proof, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return nil, nil, invalid("form")
	}
	head, _, _ := strings.Cut(proof, ".")
	if err := checkHead(head); err != nil {
		return nil, nil, err
	}
	signed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 {
		return nil, nil, invalid("form")
	}
	jwk := signed.Signatures[0].Protected.JSONWebKey
	if jwk == nil || !jwk.IsPublic() {
		return nil, nil, invalid("key")
	}
	key, ok := jwk.Key.(*ecdsa.PublicKey)
	if !ok {
		return nil, nil, invalid("key")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, nil, invalid("signature")
	}
	return key, payload, nil
}

// checkHead wants exactly the members that a proof needs. Everything that a
// library might follow or obey (x5u, jku, kid, crit, b64, a private key) is
// refused before a library sees it. This decoder minds case and refuses
// members that come twice.
func checkHead(encoded string) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return invalid("form")
	}
	var head map[string]json.RawMessage
	if err := json.Unmarshal(text, &head); err != nil || len(head) != 3 {
		return invalid("header")
	}
	if string(head["typ"]) != `"`+proofType+`"` || string(head["alg"]) != `"ES256"` {
		return invalid("header")
	}
	var jwk map[string]string
	if err := json.Unmarshal(head["jwk"], &jwk); err != nil || len(jwk) != 4 {
		return invalid("key")
	}
	if jwk["kty"] != "EC" || jwk["crv"] != "P-256" || jwk["x"] == "" || jwk["y"] == "" {
		return invalid("key")
	}
	return nil
}

// check compares what a proof states with the request (RFC 9449 §4.3, 3 and 8
// to 11, without the nonce).
func (c *claims) check(method, address string) error {
	if c.ID == "" || len(c.ID) > maxJTI {
		return invalid("jti")
	}
	if c.Method != method {
		return invalid("htm")
	}
	theirs, ours := normal(c.URL), normal(address)
	if ours == "" || theirs != ours {
		return invalid("htu")
	}
	if c.Issued == nil {
		return invalid("iat")
	}
	limit := int64(maxClockError / time.Second)
	if now := time.Now().Unix(); *c.Issued < now-limit || *c.Issued > now+limit {
		return invalid("iat")
	}
	return nil
}

// normal brings a URL to the one form in which two are compared: scheme and
// host in lower case, no default port, neither query nor fragment. Nothing
// else is forgiven. It returns "" for what is no URL of ours.
func normal(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.User != nil || u.Host == "" {
		return ""
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme != "https" && scheme != "http" {
		return ""
	}
	if strings.HasSuffix(u.Host, ":") || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return scheme + "://" + host + u.EscapedPath()
}
