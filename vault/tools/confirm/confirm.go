// Package confirm lets what cannot be undone, or is easily regretted, wait for a
// yes. The first call of such a tool is refused with a token that names exactly
// what would happen; the same call with the token does it. Where the client can
// ask the person, the vault asks, and the model does not see the token.
//
// A token is sealed for one person and one tool. It names an object and its
// version, so that it says nothing about one that was changed meanwhile.
package confirm

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// life is how long a token can be used.
const life = 30 * time.Minute

// Deed is what waits for a yes.
type Deed struct {
	Action  string // such as "purge"
	Site    string
	Kind    string // of the object, such as "page"
	ID      string
	Version int // of the object; 0 if it has none
}

// sealed is what a token holds.
type sealed struct {
	Deed
	Until int64 // Unix seconds
}

func purpose(toolName string) string { return "confirm:" + toolName }

// Given returns the deed that was agreed to, by the person or with token, which
// is the tool's argument confirm; false if it was not. The caller compares it
// with what it is about to do: [Deed.Covers].
func Given(ctx context.Context, t *tool.Set, toolName, token string) (Deed, bool, error) {
	if agreed := tool.Agreed(ctx); agreed != "" {
		token = agreed
	}
	if token == "" {
		return Deed{}, false, nil
	}
	var kept sealed
	if err := t.Door.OpenCursor(ctx, purpose(toolName), token, &kept); err != nil {
		if usererr.CodeOf(err) != usererr.BadInput {
			return Deed{}, false, err
		}
		return Deed{}, false, stale(err)
	}
	if time.Now().Unix() > kept.Until {
		return Deed{}, false, stale(nil)
	}
	return kept.Deed, true, nil
}

func stale(err error) error {
	return usererr.Wrap(err, usererr.BadInput, "The confirm token cannot be used: it is damaged, too old, or for something else", "Call again without confirm")
}

// Covers returns nil if d, which was agreed to, is deed, which is about to be
// done.
func (d Deed) Covers(deed Deed) error {
	if d == deed {
		return nil
	}
	same := d
	same.Version = deed.Version
	if same == deed {
		return usererr.New(usererr.Conflict, "It has changed since it was confirmed, so nothing was done", "Call again without confirm and look at it first")
	}
	return usererr.New(usererr.BadInput, "The confirm token is for something else, so nothing was done", "Call again without confirm")
}

// Ask returns the error that asks for a yes to deed. Says is what will happen,
// in words for the person, without a period: Delete the page "Plan" (id 1) of
// space ENG for good.
func Ask(ctx context.Context, t *tool.Set, toolName string, deed Deed, says string) error {
	token, err := t.Door.Cursor(ctx, purpose(toolName), sealed{deed, time.Now().Add(life).Unix()})
	if err != nil {
		return err
	}
	refusal := tool.Detailed(
		usererr.New(usererr.Refused, "Nothing was done yet: this needs to be confirmed", "Ask the person; if they agree, make the same call with confirm set to the token below"),
		"To confirm: "+says+".\nconfirm: "+token,
	)
	return tool.Question(refusal, says+"?", token)
}
