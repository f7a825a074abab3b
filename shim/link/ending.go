package link

import (
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
)

// Ending is how a link, or the attempt to get one, ended.
type Ending struct {
	// Why says so to people, and what to do.
	Why *usererr.Error
	// Bye is the reason that the vault gave; "" if it gave none.
	Bye wire.ByeReason
	// Held is how long the link held; 0 for none.
	Held time.Duration
	// Heard says that it brought a message.
	Heard bool

	after time.Duration // that the vault asked for
}

// ending explains err, and lets the vault start anew after one that would come
// back otherwise.
func (k *Keeper) ending(l *Link, err error) Ending {
	var end Ending
	if l != nil {
		if end.Heard = l.heard; !l.since.IsZero() {
			end.Held = time.Since(l.since)
		}
	}
	refused, _ := errors.AsType[*dial.Refused](err)
	known, isUser := usererr.From(err)
	switch {
	case refused != nil:
		end.Why, end.after = refused.Why, refused.After
	case isUser:
		end.Why = known
	case l != nil && l.bye != nil:
		end.Bye, end.Why = l.bye.Reason, dial.Goodbye(*l.bye, k.cfg.Origin)
		end.after = min(max(time.Duration(l.bye.RetryAfterMillis)*time.Millisecond, 0), versionRest)
	case errors.Is(err, wsconn.ErrTooBig), errors.Is(err, wsconn.ErrText), errors.Is(err, ErrNonsense), errors.Is(err, wire.ErrFrame):
		k.anew = true
		end.Why = usererr.Wrap(err, usererr.Unavailable, "The vault at "+k.cfg.Origin+" sent something that makes no sense",
			"It is tried again by itself; if it stays so, tell the vault's administrator")
	default:
		end.Why = usererr.Wrap(err, usererr.Unavailable, "The connection to the vault at "+k.cfg.Origin+" was lost",
			"It is tried again by itself; check the network if it stays so")
	}
	return end
}
