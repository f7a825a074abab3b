package vault

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/signin"
)

// loginEnded tells of a device's last login if that ended without a session, at
// whichever replica. What cannot be read is told later, or never: the calls
// that wait have an end of their own.
func (v *assembly) loginEnded(ctx context.Context, device identity.DeviceID) (identity.LoginID, wire.LoginDone, bool) {
	recent, err := v.db.LoginRecent(ctx, device, time.Now().Add(-2*consent.Life))
	if err != nil || len(recent) == 0 {
		return "", wire.LoginDone{}, false
	}
	done, ok := signin.Told(recent[0])
	return recent[0].ID, done, ok
}

// lost is told of shims that lost their connection while a login may wait for
// them.
func (v *assembly) lost(ctx context.Context, device identity.DeviceID, id identity.StreamID, since time.Time) error {
	return v.consents.Left(ctx, device, id, since)
}
