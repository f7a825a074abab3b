package atlassian

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

const (
	answerTimeout = 15 * time.Second
	// x/oauth2 reads 1 MiB and then believes that it has all; one byte less
	// lets the reader below speak first.
	maxAnswer = 1<<20 - 1
)

const (
	tellAdministrator = "Tell the administrator of the vault"
	askAgain          = "Ask your assistant again to start a new sign-in"
)

// known are the error codes of RFC 6749 §5.2 and of Atlassian. Any other text
// is the server's own and stays there.
var known = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
	"unsupported_grant_type", "invalid_scope", "access_denied", "server_error", "temporarily_unavailable",
}

func knownCode(code string) string {
	if slices.Contains(known, code) {
		return code
	}
	return "no known code"
}

// redeemError translates what Exchange returned, of which nothing but status
// and known code may be kept: its text may quote what the server sent.
func redeemError(err error) error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return usererr.Wrap(reachError(err), usererr.Unavailable, "Atlassian could not be asked to complete the sign-in", askAgain)
	}
	status := 0
	if answer.Response != nil {
		status = answer.Response.StatusCode
	}
	cause := fmt.Errorf("token endpoint answered %d, %s", status, knownCode(answer.ErrorCode))
	switch {
	case status >= 500, status == http.StatusTooManyRequests:
		return usererr.Wrap(cause, usererr.Unavailable, "Atlassian could not complete the sign-in just now", askAgain)
	case answer.ErrorCode == "invalid_grant":
		return usererr.Wrap(cause, usererr.Timeout, "Atlassian's permission cannot be used any more", askAgain)
	case status == http.StatusUnauthorized, answer.ErrorCode == "access_denied", answer.ErrorCode == "invalid_client", answer.ErrorCode == "unauthorized_client":
		return usererr.Wrap(cause, usererr.Settings, "Atlassian does not accept the vault's OAuth app", "Ask the administrator to check its client id and secret")
	}
	return usererr.Wrap(cause, usererr.Internal, "Atlassian gave an answer that the vault does not understand", tellAdministrator)
}

// reachError says what kept an answer from arriving or being read, without any
// of its bytes.
func reachError(err error) error {
	if known := remote.Unreached(err); known != nil {
		return known
	}
	return errors.New("not an answer of a token endpoint")
}

// answer is what a token endpoint says, good or bad.
type answer struct {
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	Kind        string `json:"token_type"`
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Refresh spends a refresh token: one POST, never repeated. It wraps
// grant.ErrRefused when the token is refused for good; every other error is
// transient. x/oauth2 offers this only through its token sources.
func (a *App) Refresh(ctx context.Context, refresh secret.String) (grant.Tokens, error) {
	form := url.Values{
		"grant_type":    {"refresh_token"},
		"client_id":     {a.cfg.ClientID},
		"client_secret": {a.cfg.ClientSecret.Reveal()},
		"refresh_token": {refresh.Reveal()},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return grant.Tokens{}, errors.New("refreshing: the token endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var said answer
	status, err := a.do(req, &said)
	if err != nil {
		return grant.Tokens{}, fmt.Errorf("refreshing: %w", err)
	}
	if status/100 != 2 || said.Code != "" {
		return grant.Tokens{}, refreshError(status, said)
	}
	if said.Access == "" || said.Kind != "" && !strings.EqualFold(said.Kind, "bearer") {
		return grant.Tokens{}, errors.New("refreshing: the answer has no usable token")
	}
	tokens := grant.Tokens{Access: secret.New(said.Access), Refresh: refresh, Expires: expiry(said.ExpiresIn), Scopes: strings.Fields(said.Scope)}
	if said.Refresh != "" {
		tokens.Refresh = secret.New(said.Refresh)
	}
	return tokens, nil
}

func refreshError(status int, said answer) error {
	cause := fmt.Errorf("token endpoint answered %d, %s", status, knownCode(said.Code))
	// What is documented, and what the real server says instead. That the app
	// may not refresh at all is a matter of its configuration.
	description := strings.ToLower(said.Description)
	word := (strings.Contains(description, "refresh_token") || strings.Contains(description, "refresh token")) && !strings.Contains(description, "grant type")
	if said.Code == "invalid_grant" || said.Code == "unauthorized_client" && word {
		return fmt.Errorf("refreshing: %w: %w", grant.ErrRefused, cause)
	}
	return fmt.Errorf("refreshing: %w", cause)
}

// do sends req and reads a JSON answer into out, which a failing status leaves
// as it is if its body is not JSON. Nothing that was received is in its errors.
func (a *App) do(req *http.Request, out any) (status int, err error) {
	return remote.JSON(a.http, req, out, reachError)
}

// get asks the API with an access token.
func (a *App) get(ctx context.Context, path string, access secret.String, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.cfg.API+path, http.NoBody)
	if err != nil {
		return errors.New("the API endpoint is no address")
	}
	req.Header.Set("Authorization", "Bearer "+access.Reveal())
	status, err := a.do(req, out)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		return fmt.Errorf("answered %d", status)
	}
	return nil
}
