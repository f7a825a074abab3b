package dpop

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// FromRequest verifies the proof of a request that arrived at publicURL, the
// address under which the vault is configured; what the request itself says
// about its host decides nothing.
func FromRequest(v *Verifier, r *http.Request, publicURL string) (thumbprint string, err error) {
	proofs := r.Header.Values(Header)
	if len(proofs) != 1 {
		return "", fmt.Errorf("%w: %d headers", ErrInvalid, len(proofs))
	}
	return v.Verify(r.Context(), proofs[0], r.Method, strings.TrimSuffix(publicURL, "/")+r.URL.EscapedPath())
}

// Challenge answers 401 with a fresh nonce, to be used in the next proof.
func Challenge(w http.ResponseWriter, nonces *Nonces) {
	refuse(w, nonces, "use_dpop_nonce", "the proof needs the nonce that comes with this answer")
}

// Refuse answers a request whose proof failed with err: a [Challenge] where
// another try may work, else 401, or 503 when the vault could not tell.
func Refuse(w http.ResponseWriter, nonces *Nonces, err error) {
	switch {
	case errors.Is(err, ErrNonce):
		Challenge(w, nonces)
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrReplayed):
		refuse(w, nonces, "invalid_dpop_proof", "who is calling could not be proved")
	default:
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"code":"unavailable","message":"the vault cannot check who is calling at the moment","hint":"try again later"}` + "\n"))
	}
}

func refuse(w http.ResponseWriter, nonces *Nonces, code, message string) {
	h := w.Header()
	h.Set("WWW-Authenticate", `DPoP error="`+code+`", algs="ES256"`)
	h.Set(NonceHeader, nonces.Issue())
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"code":"unauthorized","message":"` + message + `"}` + "\n"))
}
