package dpop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

const (
	noncePurpose = "coatcheck dpop nonce v1"
	nonceHead    = 8 + 8 // time of issue, randomness
	nonceSize    = nonceHead + sha256.Size
	// replicaSkew is how far the clocks of two vaults may be apart.
	replicaSkew = 5 * time.Second
)

// Nonces makes and checks the server's nonces. A nonce is a time under a MAC,
// so every replica with the same key accepts what another one issued, and none
// has to remember any.
type Nonces struct {
	key  []byte
	life time.Duration
}

// NewNonces returns nonces that live for life. Key is 32 random bytes or more,
// the same on every replica; different vaults have different keys.
func NewNonces(key []byte, life time.Duration) *Nonces {
	return &Nonces{key: append([]byte(nil), key...), life: life}
}

// Issue returns a fresh nonce.
func (n *Nonces) Issue() string {
	raw := make([]byte, nonceHead, nonceSize)
	binary.BigEndian.PutUint64(raw, uint64(time.Now().UnixMilli()))
	_, _ = rand.Read(raw[8:]) // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(n.sum(raw, raw))
}

// Check returns [ErrNonce] unless nonce is one of ours and still alive.
func (n *Nonces) Check(nonce string) error {
	_, err := n.expiry(nonce)
	return err
}

// expiry checks nonce and says when no replica accepts it any more.
func (n *Nonces) expiry(nonce string) (time.Time, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != nonceSize {
		return time.Time{}, ErrNonce
	}
	if !hmac.Equal(n.sum(nil, raw[:nonceHead]), raw[nonceHead:]) {
		return time.Time{}, ErrNonce
	}
	issued := time.UnixMilli(int64(binary.BigEndian.Uint64(raw)))
	if age := time.Since(issued); age > n.life || age < -replicaSkew {
		return time.Time{}, ErrNonce
	}
	return issued.Add(n.life + replicaSkew), nil
}

// sum appends the MAC of head to to.
func (n *Nonces) sum(to, head []byte) []byte {
	mac := hmac.New(sha256.New, n.key)
	_, _ = mac.Write([]byte(noncePurpose)) // hash.Hash never fails
	_, _ = mac.Write(head)
	return mac.Sum(to)
}
