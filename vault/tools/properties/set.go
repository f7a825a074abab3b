package properties

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/properties"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/confirm"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const setName = "confluence_set_property"

type setIn struct {
	Page     arguments.Ref `json:"page" jsonschema:"id or URL"`
	Key      string        `json:"key" jsonschema:"name of the property"`
	Value    any           `json:"value,omitempty" jsonschema:"any JSON value"`
	Delete   bool          `json:"delete,omitempty" jsonschema:"remove the property for good"`
	Expected int           `json:"expected_version,omitempty" jsonschema:"refuse if the property is not at this version"`
	Confirm  string        `json:"confirm,omitempty" jsonschema:"token of the refused answer, to delete"`
	Site     string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

type setOut struct {
	Page    string `json:"page"`
	Key     string `json:"key"`
	Version int    `json:"version,omitempty"`
	Message string `json:"message"`
}

var setTool = tool.Spec[setIn, setOut]{
	Name: setName, Title: "Set a Confluence property",
	Description: "Create, replace or delete a content property (JSON) of a Confluence page.",
	Toolset:     toolset, Write: true, Destructive: true,
	Run: set,
}

// Limits of a property.
const (
	maxKey       = 255
	maxJSONValue = 32 << 10 // bytes
)

// setting is one property, on its way.
type setting struct {
	in     setIn
	value  json.RawMessage
	set    *tool.Set
	agreed confirm.Deed
	given  bool
	// before is the property as it was found; nil until it was looked for.
	before *properties.Property
}

func set(ctx context.Context, t *tool.Set, in setIn) (setOut, string, error) {
	in.Key = strings.TrimSpace(in.Key)
	if err := arguments.OneLine("key", in.Key, maxKey); err != nil {
		return setOut{}, "", err
	}
	value, err := json.Marshal(in.Value)
	switch {
	case err != nil:
		return setOut{}, "", usererr.New(usererr.BadInput, `The argument "value" cannot be stored`, "Give any JSON value")
	case in.Delete == (in.Value != nil):
		return setOut{}, "", usererr.New(usererr.BadInput, "Either value or delete must be given", "Give the new value, or delete: true")
	case len(value) > maxJSONValue:
		return setOut{}, "", usererr.New(usererr.TooLarge, "The value is larger than the 32 KB that Confluence takes", "Keep less in it")
	}
	s := &setting{in: in, value: value, set: t}
	if s.agreed, s.given, err = confirm.Given(ctx, t, setName, in.Confirm); err != nil {
		return setOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[setOut]{
		Tool: setName, Site: in.Site, Page: string(in.Page), Input: in,
		Run: s.run, Settle: s.settle,
		Check: "Look at the property with confluence_get_properties before setting it again",
	})
	return out, out.Message + "\n", err
}

func (s *setting) find(ctx context.Context, w *guard.Wiki) (guard.Page, properties.Property, error) {
	page, err := w.Page(ctx, string(s.in.Page))
	if err != nil {
		return guard.Page{}, properties.Property{}, err
	}
	before, _, err := properties.Find(ctx, w, page, s.in.Key)
	before.Key = s.in.Key
	return page, before, err
}

func (s *setting) run(ctx context.Context, w *guard.Wiki) (setOut, error) {
	page, before, err := s.find(ctx, w)
	if err != nil {
		return setOut{}, err
	}
	s.before = &before
	if s.in.Expected != 0 && s.in.Expected != before.Version {
		return setOut{}, changed(before)
	}
	if s.in.Delete {
		return s.remove(ctx, w, page, before)
	}
	return s.put(ctx, w, page, before)
}

func changed(now properties.Property) error {
	what := fmt.Sprintf("The property is at version %d; nothing was written", now.Version)
	if now.Version == 0 {
		what = "There is no such property; nothing was written"
	}
	return usererr.Wrap(guard.ErrConflict, usererr.Conflict, what, "Read it with confluence_get_properties and pass its version")
}

func (s *setting) put(ctx context.Context, w *guard.Wiki, page guard.Page, before properties.Property) (setOut, error) {
	made, err := properties.Put(ctx, w, page, before, s.value)
	if err != nil {
		return setOut{}, err
	}
	return s.done(page, made.Version), nil
}

func (s *setting) done(page guard.Page, version int) setOut {
	message := fmt.Sprintf("The property %q of page %s is at version %d.", s.in.Key, page.ID, version)
	if s.in.Delete {
		message = fmt.Sprintf("The property %q of page %s was deleted.", s.in.Key, page.ID)
	}
	return setOut{page.ID, s.in.Key, version, message}
}

func (s *setting) remove(ctx context.Context, w *guard.Wiki, page guard.Page, before properties.Property) (setOut, error) {
	if before.Version == 0 {
		return setOut{}, usererr.New(usererr.NotFound, "The page has no property of this key", "List them with confluence_get_properties")
	}
	deed := confirm.Deed{Action: "delete", Site: w.Site(), Kind: "property", ID: page.ID + "/" + s.in.Key, Version: before.Version}
	if !s.given {
		return setOut{}, confirm.Ask(ctx, s.set, setName, deed, fmt.Sprintf("Delete the property %q of the page %q (id %s) for good", s.in.Key, tool.Clip(page.Title, 80), page.ID))
	}
	if err := s.agreed.Covers(deed); err != nil {
		return setOut{}, err
	}
	if err := properties.Delete(ctx, w, page, before); err != nil {
		return setOut{}, err
	}
	return s.done(page, 0), nil
}

// settle looks at the property. If it has the value, or is gone, the write was
// made; if it is as it was before, it is made again, which Confluence refuses
// where it was not.
func (s *setting) settle(ctx context.Context, w *guard.Wiki, _ time.Time) (setOut, error) {
	page, now, err := s.find(ctx, w)
	if err != nil {
		return setOut{}, err
	}
	same := w.Ours() && s.before != nil && s.before.Version == now.Version && s.before.ID == now.ID
	switch {
	case s.in.Delete && now.Version == 0:
		return s.done(page, 0), nil
	case s.in.Delete && same:
		return s.remove(ctx, w, page, now)
	case s.in.Delete:
		return setOut{}, errors.New("the property may have been made anew")
	case now.Version > 0 && equal(now.Value, s.value):
		return s.done(page, now.Version), nil
	case same, s.in.Expected == now.Version:
		// Confluence takes each version of a key once, the first too.
		return s.put(ctx, w, page, now)
	}
	return setOut{}, errors.New("the property has another value")
}

// equal compares JSON values.
func equal(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && (bytes.Equal(x.Bytes(), y.Bytes()) || sorted(a) == sorted(b))
}

// sorted writes a JSON value with its members in order.
func sorted(value json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(value)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(value)
	}
	return string(out)
}
