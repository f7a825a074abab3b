package grant

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// Rewrap returns the data key of row under the key that kek wraps with now.
// The data key itself does not change, so replicas that have opened it go on.
// Errors are those of [seal.Rewrap].
func Rewrap(ctx context.Context, kek seal.KEK, row Row) ([]byte, error) {
	return seal.Rewrap(ctx, kek, row.Key, keyPlace(row.Grant))
}
