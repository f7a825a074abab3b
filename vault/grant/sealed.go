package grant

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

const (
	fieldAccess  = "access"
	fieldRefresh = "refresh"
)

// Access tokens are refreshed when less than a tenth of their life is left, at
// most a minute and at least a second.
const (
	mostMargin  = time.Minute
	leastMargin = time.Second
)

// margin is how long before its expiry a token is refreshed.
func margin(g Grant) time.Duration {
	from := g.Issued
	if g.Refreshed.After(from) {
		from = g.Refreshed
	}
	life := g.TokenExpires.Sub(from)
	return min(max(min(mostMargin, life/10), leastMargin), life/2)
}

func fresh(g Grant, now time.Time) bool { return now.Before(g.TokenExpires.Add(-margin(g))) }

// keyPlace is where a data key belongs, place where a token does.
func keyPlace(g Grant) seal.AAD {
	return seal.AAD{Purpose: "grant key", Tenant: string(g.Tenant), Person: string(g.Person), Grant: string(g.ID)}
}

func place(g Grant, field string, version int64) seal.AAD {
	return seal.AAD{
		Purpose: "grant", Tenant: string(g.Tenant), Person: string(g.Person), Grant: string(g.ID),
		Field: field, Version: version,
	}
}

// box opens a grant's data key.
func (k *Keeper) box(ctx context.Context, row Row) (*seal.Box, error) {
	if box, ok := k.boxes.get(row.ID, time.Now()); ok {
		return box, nil
	}
	seen := k.boxes.generation()
	box, err := seal.OpenKey(ctx, k.cfg.KEK, row.Key, keyPlace(row.Grant))
	if err != nil {
		return nil, k.unopened(ctx, row, err)
	}
	k.boxes.put(seen, row.ID, box, time.Now().Add(boxKept))
	return box, nil
}

// open opens the access token of row.
func (k *Keeper) open(ctx context.Context, row Row) (Token, error) {
	box, err := k.box(ctx, row)
	if err != nil {
		return Token{}, err
	}
	access, err := box.Open(row.Access, place(row.Grant, fieldAccess, row.Version))
	if err != nil {
		return Token{}, k.unopened(ctx, row, err)
	}
	return token(row, secret.New(string(access))), nil
}

// unopened tells the operator, whose key or database is wrong.
func (k *Keeper) unopened(ctx context.Context, row Row, err error) error {
	k.cfg.Log.ErrorContext(ctx, "a grant cannot be opened", "grant", row.ID, "tenant", row.Tenant, "person", row.Person, "err", err)
	return errSealed(err)
}

func token(row Row, access secret.String) Token {
	return Token{
		Value: access, Grant: row.ID, Person: row.Person, Tenant: row.Tenant,
		Version: row.Version, Sites: row.Sites, Expires: row.TokenExpires,
	}
}

// fill seals tokens into row, as those of its version, issued now.
func (k *Keeper) fill(row *Row, box *seal.Box, tokens Tokens, now time.Time) error {
	var err error
	if row.Access, err = box.Seal([]byte(tokens.Access.Reveal()), place(row.Grant, fieldAccess, row.Version)); err != nil {
		return fmt.Errorf("sealing an access token: %w", err)
	}
	if row.Refresh, err = box.Seal([]byte(tokens.Refresh.Reveal()), place(row.Grant, fieldRefresh, row.Version)); err != nil {
		return fmt.Errorf("sealing a refresh token: %w", err)
	}
	if len(tokens.Scopes) > 0 {
		row.Scopes = tokens.Scopes
	}
	row.TokenExpires, row.Expires, row.NextRefresh = tokens.Expires, now.Add(k.cfg.IdleLife), time.Time{}
	if !k.cfg.Strategy(row.Tenant).background() {
		return nil
	}
	// Up to a tenth of the life earlier than needed, so that people who came
	// at nine do not all refresh at ten. Atlassian ends the old access token
	// ten minutes after a refresh; other replicas keep it a minute at most.
	spread := tokens.Expires.Sub(now) / 10
	if spread > 0 {
		row.NextRefresh = tokens.Expires.Add(-margin(row.Grant) - rand.N(spread))
	}
	return nil
}
