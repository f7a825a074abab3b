package atlassian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

// ErrNoRevocation says that the server has no endpoint for ending a grant.
var ErrNoRevocation = errors.New("there is no revocation endpoint")

// Revoke asks the server to end the grant that a refresh token belongs to (RFC
// 7009 §2.1): one POST, never repeated. Atlassian advertises the endpoint and
// does not document what it does, so nil means that the server said yes, and
// nothing more.
func (a *App) Revoke(ctx context.Context, refresh secret.String) error {
	if a.cfg.Revoke == "" {
		return ErrNoRevocation
	}
	form := url.Values{
		"token":           {refresh.Reveal()},
		"token_type_hint": {"refresh_token"},
		"client_id":       {a.cfg.ClientID},
		"client_secret":   {a.cfg.ClientSecret.Reveal()},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.Revoke, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the revocation endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := a.http.Do(req)
	if err != nil {
		return reachError(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return reachError(err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the revocation endpoint answered %d", res.StatusCode)
	}
	return nil
}

// revocationBeside is the address of the revocation endpoint that stands
// beside a token endpoint as Atlassian's does; "" if that is somewhere else.
func revocationBeside(token string) string {
	if origin, ok := strings.CutSuffix(token, "/oauth/token"); ok {
		return origin + "/oauth/revoke"
	}
	return ""
}
