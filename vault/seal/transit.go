package seal

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

const (
	maxAuthorities = 1 << 20
	maxToken       = 16 << 10
)

// transit is a key of HashiCorp Vault's or OpenBao's transit engine
// (POST /v1/MOUNT/encrypt/KEY and decrypt, "Transit secrets engine (API)").
// Services from before 1.13 ignore associated_data without a word.
type transit struct {
	name      string // vault-transit://HOST/MOUNT/KEY
	base, key string // https://HOST/v1/MOUNT
	tokenFile string
	namespace string
	http      *http.Client
}

// openTransit takes an address with token=file:NAME, and with namespace=NAME
// and ca=file:NAME if need be. The token is read from its file for each
// request, since agents renew it there.
func openTransit(at keyurl.Key, dir string) (KEK, error) {
	roots, err := authorities(at.Options["ca"], dir)
	if err != nil {
		return nil, err
	}
	last := len(at.Path) - 1
	k := &transit{
		name: at.Name, key: at.Path[last], namespace: at.Options["namespace"],
		tokenFile: within(dir, strings.TrimPrefix(at.Options["token"], "file:")),
		base:      "https://" + at.Host + "/v1/" + strings.Join(at.Path[:last], "/"), http: transitClient(roots),
	}
	if here(at.Host) && roots == nil {
		k.base = "http" + strings.TrimPrefix(k.base, "https")
	}
	return NewServiceKEK(k), nil
}

// transitClient goes through no proxy and follows no redirect, which could
// take the token elsewhere.
func transitClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: serviceTime,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: serviceTime, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// authorities are those of the system and those in the file that ref names;
// nil for the system's alone.
func authorities(ref, dir string) (*x509.CertPool, error) {
	if ref == "" {
		return nil, nil
	}
	file, _ := strings.CutPrefix(ref, "file:")
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	text, err := readBounded(within(dir, file), maxAuthorities)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil, usererr.Wrap(err, usererr.Settings, "The authorities of the key service cannot be read from "+within(dir, file), "Write ca=file:NAME, of a file with certificates in PEM")
	}
	return pool, nil
}

// here reports whether a host, with a port or without, is this machine only.
// An agent or proxy on it need not speak TLS, and does only if ca is given.
func here(host string) bool {
	if addr, err := netip.ParseAddrPort(host); err == nil {
		return addr.Addr().IsLoopback()
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return name == "localhost"
}

// Name implements [Service].
func (k *transit) Name() string { return k.name }

// transitBody is a request and the data of an answer.
type transitBody struct {
	Plaintext  string `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Place      string `json:"associated_data,omitempty"`
}

// Encrypt implements [Service].
func (k *transit) Encrypt(ctx context.Context, plain, place []byte) ([]byte, error) {
	answer, err := k.ask(ctx, "encrypt", transitBody{Plaintext: base64.StdEncoding.EncodeToString(plain), Place: base64.StdEncoding.EncodeToString(place)})
	if err == nil && answer.Ciphertext == "" {
		err = k.odd()
	}
	return []byte(answer.Ciphertext), err
}

// Decrypt implements [Service].
func (k *transit) Decrypt(ctx context.Context, sealed, place []byte) ([]byte, error) {
	answer, err := k.ask(ctx, "decrypt", transitBody{Ciphertext: string(sealed), Place: base64.StdEncoding.EncodeToString(place)})
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(answer.Plaintext)
	if err != nil || len(plain) == 0 {
		return nil, k.odd()
	}
	return plain, nil
}

// odd is for answers that no transit engine gives.
func (k *transit) odd() error { return ServiceError(k.name, NoSense, "", nil) }

// ask sends one request. Nothing that the service says gets into an error.
func (k *transit) ask(ctx context.Context, verb string, body transitBody) (transitBody, error) {
	token, err := k.token()
	if err != nil {
		return transitBody{}, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return transitBody{}, err
	}
	defer clear(text)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.base+"/"+verb+"/"+k.key, bytes.NewReader(text))
	if err != nil {
		return transitBody{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Vault-Token", token.Reveal())
	req.Header.Set("X-Vault-Request", "true")
	if k.namespace != "" {
		req.Header.Set("X-Vault-Namespace", k.namespace)
	}
	res, err := k.http.Do(req)
	if err != nil {
		return transitBody{}, ServiceError(k.name, NoAnswer, "", Unreached(err))
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	defer clear(answer)
	if err != nil {
		return transitBody{}, ServiceError(k.name, NoAnswer, "Try again: it broke off", Unreached(err))
	}
	if res.StatusCode != http.StatusOK {
		return transitBody{}, k.refused(res.StatusCode, answer)
	}
	var ok struct{ Data transitBody }
	if json.Unmarshal(answer, &ok) != nil {
		return transitBody{}, k.odd()
	}
	return ok.Data, nil
}

// refused turns an answer that is no success into an error. The engine says
// 400 for a damaged or moved ciphertext as well as for a key that is not
// there, and only its text tells them apart.
func (k *transit) refused(status int, answer []byte) error {
	var said struct{ Errors []string }
	if status == http.StatusBadRequest && json.Unmarshal(answer, &said) == nil {
		for _, text := range said.Errors {
			if strings.Contains(text, "message authentication failed") || strings.Contains(text, "invalid ciphertext") {
				return ErrOpen
			}
		}
	}
	trouble, hint := NoAnswer, "Look at the service's log"
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		trouble = NotAllowed
		hint = "Let the policy of the token update encrypt/" + k.key + " and decrypt/" + k.key + " of the mount, and check that the token has not expired"
	case http.StatusNotFound, http.StatusBadRequest:
		trouble = NoSuchKey
		hint = "Check that the mount has a key of this name and that its type is aes256-gcm96 and not derived"
	case http.StatusTooManyRequests:
		trouble, hint = Busy, ""
	case http.StatusServiceUnavailable:
		hint = "The service may be sealed: unseal it"
	}
	if status < http.StatusBadRequest {
		trouble, hint = NoSense, ""
	}
	return ServiceError(k.name, trouble, hint, fmt.Errorf("status %d", status))
}

func (k *transit) token() (secret.String, error) {
	data, err := readBounded(k.tokenFile, maxToken)
	token := strings.TrimSpace(string(data))
	clear(data)
	if err == nil && (token == "" || strings.ContainsAny(token, "\r\n\x00")) {
		err = errors.New("there is no token in it")
	}
	if err != nil {
		return secret.String{}, usererr.Wrap(err, usererr.Unavailable, "The token for the key service "+k.name+" cannot be read from "+k.tokenFile, "Check the file")
	}
	return secret.New(token), nil
}
