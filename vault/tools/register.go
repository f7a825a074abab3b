package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
)

// tool describes one tool. run returns the structured answer and the same as
// Markdown.
type tool[In, Out any] struct {
	name, title, description string
	write                    bool // changes something in Confluence
	closed                   bool // does not reach beyond the vault
	anonymous                bool // answers guests too
	run                      func(ctx context.Context, t *toolset, in In) (Out, string, error)
}

// register adds a tool to s. The SDK's own handling of arguments is not used:
// it echoes what it cannot read and does not say what it knows.
func register[In, Out any](s *mcp.Server, t *toolset, def tool[In, Out]) {
	args := arguments.Of[In]()
	s.AddTool(&mcp.Tool{
		Name: def.name, Title: def.title, Description: def.description,
		InputSchema: schema[In](), OutputSchema: open(schema[Out]()),
		Annotations: &mcp.ToolAnnotations{
			ReadOnlyHint: !def.write, DestructiveHint: new(def.write && def.name == updatePage),
			// A write carries its version or a title that is taken after it:
			// a second one of the same arguments is refused.
			IdempotentHint: true, OpenWorldHint: new(!def.closed),
		},
	}, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var out Out
		var text string
		ctx = guard.Asking(ctx, req.Params.Arguments)
		in, err := args.Read(req.Params.Arguments)
		if err == nil {
			err = t.signedIn(ctx, !def.anonymous, func(ctx context.Context) (err error) {
				out, text, err = def.run(ctx, t, in)
				return err
			})
		}
		if err != nil {
			return t.refuse(ctx, def.name, t.cfg.Door.Refuse(ctx, def.name, err)), nil
		}
		return t.answer(ctx, def.name, out, text), nil
	})
}

func (t *toolset) answer(ctx context.Context, name string, out any, text string) *mcp.CallToolResult {
	var structured bytes.Buffer
	encoder := json.NewEncoder(&structured)
	encoder.SetEscapeHTML(false) // six bytes for each < of a page is a lot
	if err := encoder.Encode(out); err != nil {
		return t.refuse(ctx, name, fmt.Errorf("encoding the answer of %s: %w", name, err))
	}
	return &mcp.CallToolResult{
		Content:           []mcp.Content{&mcp.TextContent{Text: text}},
		StructuredContent: json.RawMessage(bytes.TrimSpace(structured.Bytes())),
	}
}

// detailed is an error with something to read below its text.
type detailed struct {
	error
	detail string
}

// Unwrap gives the error itself.
func (d *detailed) Unwrap() error { return d.error }

// refuse makes a result of an error. What is not meant for people goes to the
// log under a reference.
func (t *toolset) refuse(ctx context.Context, name string, err error) *mcp.CallToolResult {
	reference := ""
	if _, ok := usererr.From(err); !ok {
		caller, _ := identity.From(ctx) // only for the log
		reference = identity.NewID("r_")[:14]
		t.cfg.Log.ErrorContext(ctx, "a tool ended with an internal error", "err", err, "reference", reference,
			"tool", name, "tenant", caller.Tenant, "person", caller.Person, "stream", caller.Stream, "call", caller.Call)
	}
	text := usererr.Text(err, reference)
	if more := (*detailed)(nil); errors.As(err, &more) {
		text += "\n\n" + more.detail
	}
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

// schema describes T. It panics on a type that has no schema, which a test of
// this package would show.
func schema[T any]() *jsonschema.Schema {
	s, err := jsonschema.For[T](nil)
	if err != nil {
		panic(fmt.Sprintf("tools: schema of %T: %v", *new(T), err)) // impossible: all types are of this package
	}
	return s
}

// open lets an answer have members that a client with an older schema does
// not know, and leaves out that lists could be null, which they never are.
func open(s *jsonschema.Schema) *jsonschema.Schema {
	s.AdditionalProperties = nil
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	for _, member := range s.Properties {
		open(member)
	}
	if s.Items != nil {
		open(s.Items)
	}
	return s
}
