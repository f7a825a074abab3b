package oauth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Sizes of what is handed out, in bytes at least. The real ones grow with the
// scopes and are several kilobytes.
const (
	codeSize    = 1200
	refreshSize = 1400
	accessSize  = 3000
)

// forge makes something that looks like a JWT, cannot be guessed and shows the
// canary in plain text every hundred bytes of its last part, so that a leak of
// a part of it is found as well.
func forge(size int, canary string, claims map[string]any) string {
	claims["jti"] = rand.Text()
	payload, err := json.Marshal(claims)
	if err != nil {
		panic("oauth: claims that cannot be encoded: " + err.Error()) // they are ours
	}
	var b strings.Builder
	b.WriteString(base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256","kid":"simulated"}`)))
	b.WriteByte('.')
	b.WriteString(base64.RawURLEncoding.EncodeToString(payload))
	b.WriteByte('.')
	for b.Len() < size {
		b.WriteString(canary)
		b.WriteString(rand.Text() + rand.Text() + rand.Text())
	}
	b.WriteString(canary)
	return b.String()
}
