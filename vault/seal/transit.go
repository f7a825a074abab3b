package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const (
	transitScheme = "vault-transit"
	transitTime   = 5 * time.Second
	// maxTransit bounds what the service may answer; a wrapped key is a
	// thousandth of it.
	maxTransit = 1 << 20
	maxToken   = 16 << 10
)

var transitPart = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// transit is a key of HashiCorp Vault's or OpenBao's transit engine
// (POST /v1/MOUNT/encrypt/KEY and decrypt, "Transit secrets engine (API)").
//
// The place of a key is bound twice: as associated_data, which services from
// before 1.13 ignore without a word, and as a hash in front of what is wrapped.
type transit struct {
	name      string // vault-transit://HOST/MOUNT/KEY
	base, key string // https://HOST/v1/MOUNT
	tokenFile string
	namespace string
	http      *http.Client
}

// openTransit reads a URL such as
// vault-transit://vault.example:8200/transit/coatcheck?token=file:NAME, with
// namespace=NAME and ca=file:NAME if need be. The token is read from its file
// for each request, since agents renew it there.
func openTransit(text, dir string) (KEK, error) {
	wrong := func(why string) error {
		return usererr.New(usererr.Settings, "The address of the key-encryption key "+why, "Use vault-transit://HOST[:PORT]/MOUNT/KEY?token=file:NAME")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, wrong("cannot be read")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, wrong("has a user or a fragment")
	}
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	for _, part := range parts {
		if !transitPart.MatchString(part) || strings.Trim(part, ".") == "" {
			return nil, wrong("has no readable mount and key")
		}
	}
	last := len(parts) - 1
	if last < 1 {
		return nil, wrong("lacks the mount or the key")
	}
	query := u.Query()
	file, ok := strings.CutPrefix(query.Get("token"), "file:")
	if !ok || file == "" {
		return nil, wrong("does not say in which file the token is")
	}
	for name := range query {
		if name != "token" && name != "namespace" && name != "ca" {
			return nil, wrong(fmt.Sprintf("has the unknown part %q", name))
		}
	}
	roots, err := authorities(query.Get("ca"), dir)
	if err != nil {
		return nil, err
	}
	k := &transit{
		name: transitScheme + "://" + u.Host + u.Path, key: parts[last], tokenFile: within(dir, file), namespace: query.Get("namespace"),
		base: "https://" + u.Host + "/v1/" + strings.Join(parts[:last], "/"), http: transitClient(roots),
	}
	if here(u.Hostname()) && roots == nil {
		k.base = "http" + strings.TrimPrefix(k.base, "https")
	}
	if len(k.name) > 255 {
		return nil, wrong("is too long")
	}
	return k, nil
}

// transitClient goes through no proxy and follows no redirect, which could
// take the token elsewhere.
func transitClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: transitTime,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: transitTime, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
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
	text, err := readBounded(within(dir, file), maxTransit)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return nil, usererr.Wrap(err, usererr.Settings, "The authorities of the key service cannot be read from "+within(dir, file), "Write ca=file:NAME, of a file with certificates in PEM")
	}
	return pool, nil
}

// here reports whether a host is this machine only. An agent or proxy on it
// need not speak TLS, and does only if ca is given.
func here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (k *transit) ID() string { return k.name }

func (k *transit) Names() []string { return []string{k.name} }

// transitBody is a request and the data of an answer.
type transitBody struct {
	Plaintext  string `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Place      string `json:"associated_data,omitempty"`
}

func (k *transit) Wrap(ctx context.Context, plain []byte, aad AAD) ([]byte, error) {
	place := sha256.Sum256(aad.bytes())
	inner := append(place[:], plain...)
	defer clear(inner)
	answer, err := k.ask(ctx, "encrypt", transitBody{Plaintext: base64.StdEncoding.EncodeToString(inner), Place: base64.StdEncoding.EncodeToString(place[:])})
	if err != nil {
		return nil, err
	}
	if answer.Ciphertext == "" {
		return nil, k.odd()
	}
	wrapped := append([]byte{formatNamed, byte(len(k.name))}, k.name...)
	return append(wrapped, answer.Ciphertext...), nil
}

func (k *transit) Unwrap(ctx context.Context, wrapped []byte, aad AAD) ([]byte, error) {
	if WrappedBy(wrapped) != k.name {
		return nil, ErrOpen
	}
	place := sha256.Sum256(aad.bytes())
	answer, err := k.ask(ctx, "decrypt", transitBody{Ciphertext: string(wrapped[2+len(k.name):]), Place: base64.StdEncoding.EncodeToString(place[:])})
	if err != nil {
		return nil, err
	}
	inner, err := base64.StdEncoding.DecodeString(answer.Plaintext)
	if err != nil {
		return nil, k.odd()
	}
	if len(inner) < len(place) || subtle.ConstantTimeCompare(inner[:len(place)], place[:]) != 1 {
		clear(inner)
		return nil, ErrOpen
	}
	return inner[len(place):], nil
}

// odd is for answers that no transit engine gives.
func (k *transit) odd() error {
	return usererr.New(usererr.Unavailable, "The key service "+k.name+" does not answer as a transit engine does", "Check the address of the key-encryption key")
}

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
		if ctx.Err() != nil {
			return transitBody{}, ctx.Err()
		}
		return transitBody{}, usererr.Wrap(err, usererr.Unavailable, "The key service "+k.name+" does not answer", "Check that it runs and can be reached from the vault")
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxTransit))
	defer clear(answer)
	if err != nil {
		return transitBody{}, usererr.Wrap(err, usererr.Unavailable, "The key service "+k.name+" broke off its answer", "Try again")
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
	hint := "Look at the service's log"
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		hint = "Let the policy of the token update encrypt/" + k.key + " and decrypt/" + k.key + " of the mount, and check that the token has not expired"
	case http.StatusNotFound, http.StatusBadRequest:
		hint = "Check that the mount has a key of this name and that its type is aes256-gcm96 and not derived"
	case http.StatusServiceUnavailable:
		hint = "The service may be sealed: unseal it"
	}
	return usererr.New(usererr.Unavailable, fmt.Sprintf("The key service %s refused (status %d)", k.name, status), hint)
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
