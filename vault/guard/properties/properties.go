// Package properties reads and writes content properties of pages with the
// guard's leave. Pages are given as [guard.Page], so that they have passed it.
package properties

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/properties"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const (
	scopeRead  = "read:page:confluence"
	scopeWrite = "read:page:confluence and write:page:confluence"
)

// Property is one version of a property.
type Property = properties.Property

func owner(of guard.Page) properties.Owner {
	return properties.Owner{ID: of.ID, Blog: of.Type == "blogpost"}
}

// Part is a part of the properties: those of Key if it is not "", from Cursor on.
type Part = properties.Part

// List returns a part of the properties of a page, and the cursor of the next.
func List(ctx context.Context, w *guard.Wiki, of guard.Page, part Part) (found []Property, next string, err error) {
	err = w.Ask(ctx, "The properties of page "+of.ID, scopeRead, func(c *confluence.Client) (err error) {
		found, next, err = properties.List(ctx, c, owner(of), part)
		return err
	})
	return found, next, err
}

// Find returns the property of a key; false if there is none.
func Find(ctx context.Context, w *guard.Wiki, of guard.Page, key string) (Property, bool, error) {
	found, _, err := List(ctx, w, of, Part{Key: key, Limit: 5})
	if err != nil {
		return Property{}, false, err
	}
	for _, p := range found {
		if p.Key == key {
			return p, true, nil
		}
	}
	return Property{}, false, nil
}

func name(key string) string { return `The property "` + plaintext.Line(key, 80) + `"` }

// Put writes a value: the property before as its next version, or a new one of
// that key if before has no version. The chain of a refusal because of another
// version has [guard.ErrConflict].
func Put(ctx context.Context, w *guard.Wiki, of guard.Page, before Property, value json.RawMessage) (Property, error) {
	key := before.Key
	var made Property
	err := w.Send(ctx, name(key), scopeWrite, func(c *confluence.Client) (err error) {
		if before.Version == 0 {
			made, err = properties.Create(ctx, c, owner(of), key, value)
			return err
		}
		made, err = properties.Update(ctx, c, owner(of), Property{ID: before.ID, Key: key, Value: value, Version: before.Version + 1})
		return err
	})
	if confluence.Is(err, confluence.KindConflict) {
		err = usererr.Wrap(errors.Join(guard.ErrConflict, err), usererr.Conflict, name(key)+" was changed by somebody else; nothing was written", "Read it with confluence_get_properties, then set it again")
	}
	return made, err
}

// Delete removes a property for good.
func Delete(ctx context.Context, w *guard.Wiki, of guard.Page, p Property) error {
	return w.Send(ctx, name(p.Key), scopeWrite, func(c *confluence.Client) error {
		return properties.Delete(ctx, c, owner(of), p.ID)
	})
}
