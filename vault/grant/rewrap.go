package grant

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// Rewrap returns the data key of row under the key that kek wraps with now.
// The data key itself does not change, so replicas that have opened it go on.
// Errors are those of [seal.Rewrap].
func Rewrap(ctx context.Context, kek seal.KEK, row Row) ([]byte, error) {
	return seal.Rewrap(ctx, kek, row.Key, keyPlace(row.Grant))
}

// OpenRefresh opens the refresh token of row, for ending the grant at
// Atlassian: nothing else may be done with it outside of this package. Errors
// are those of seal, and [ErrNone] if row has no token any more.
func OpenRefresh(ctx context.Context, kek seal.KEK, row Row) (secret.String, error) {
	if row.Key == nil || row.Refresh == nil {
		return secret.String{}, ErrNone
	}
	box, err := seal.OpenKey(ctx, kek, row.Key, keyPlace(row.Grant))
	if err != nil {
		return secret.String{}, err
	}
	refresh, err := box.Open(row.Refresh, place(row.Grant, fieldRefresh, row.Version))
	return secret.New(string(refresh)), err
}
