package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Claims is what a proof states.
type Claims struct {
	Method string // such as "GET"
	URL    string // in its http or https form, also for a websocket
	Nonce  string // the server's latest, "" before the first
}

// Prove returns a fresh proof of key for one request. It works with any P-256
// key that can sign, wherever that key is kept.
func Prove(key crypto.Signer, about Claims) (string, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return "", errors.New("proving: not a P-256 key")
	}
	options := &jose.SignerOptions{EmbedJWK: true}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.ES256,
		Key:       opaque{key, jose.JSONWebKey{Key: public}},
	}, options.WithType(proofType))
	if err != nil {
		return "", fmt.Errorf("proving: %w", err)
	}
	now := time.Now().Unix()
	payload, err := json.Marshal(claims{
		ID:     rand.Text(), // 130 random bits
		Method: about.Method,
		URL:    about.URL,
		Issued: &now,
		Nonce:  about.Nonce,
	})
	if err != nil {
		return "", fmt.Errorf("proving: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("proving: %w", err)
	}
	return signed.CompactSerialize()
}

// opaque lets go-jose sign with any [crypto.Signer].
type opaque struct {
	key    crypto.Signer
	public jose.JSONWebKey
}

func (o opaque) Public() *jose.JSONWebKey { return &o.public }

func (o opaque) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256}
}

// SignPayload turns the ASN.1 signature of a [crypto.Signer] into the two
// 32-byte numbers of RFC 7518 §3.4.
func (o opaque) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	sum := sha256.Sum256(payload)
	der, err := o.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil || pair.R.Sign() < 0 || pair.S.Sign() < 0 || pair.R.BitLen() > 256 || pair.S.BitLen() > 256 {
		return nil, errors.New("the key signed something odd")
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}
