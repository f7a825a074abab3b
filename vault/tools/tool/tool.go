// Package tool makes a tool of the MCP surface out of a description and a
// function: it reads the arguments, waits for a sign-in, answers twice (as
// structured content and as text, since some clients show only one of the two)
// and phrases refusals, which are results with isError that say what happened
// and what to do.
package tool

//lint:file-ignore SA1019 clients have roots and logging for a year to come, and nothing else in their place

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
)

// SignIn asks the caller's device to sign in. The caller is in the context
// (identity.From). Implementations may be called concurrently.
type SignIn interface {
	// Await asks for a sign-in and waits for it, at most 45 s and with
	// progress where the request carried a progress token. It returns who the
	// caller is now, with whom the call is tried again. Otherwise a usererr,
	// such as SignInOpen while the person has not finished.
	Await(ctx context.Context) (identity.Caller, error)
	// Start asks for a sign-in and returns at once with where it stands.
	Start(ctx context.Context) (SignInState, error)
}

// SignInState says where a sign-in stands.
type SignInState struct {
	// Open says that a browser tab (or a link to open) waits for the person.
	Open bool
	// URL is the link on the vault's own origin, when it is known.
	URL string
	// Message is a sentence for the person, when there is more to say.
	Message string
}

// Set is what tools need. All fields are required unless stated.
type Set struct {
	Door    *guard.Door
	Version string
	SignIn  SignIn
	Log     *slog.Logger
	// Computer has the files of the caller's computer. Optional: without it no
	// tool moves files.
	Computer Computer
	// PDF reads the text of a PDF file, out of reach of what such a file could do
	// to this process. Optional: without it PDF files are not read.
	PDF func(ctx context.Context, data []byte) (string, error)
	// Toolsets are those that are offered beside the tools without one; "all"
	// is every one. Optional.
	Toolsets []string
}

// Spec describes one tool. Run returns the structured answer and the same as
// Markdown. An Out may have a method Content() []mcp.Content, for what is shown
// besides, such as an image.
type Spec[In, Out any] struct {
	Name, Title, Description string
	Toolset                  string // "" is offered always
	Write                    bool   // changes something in Confluence
	Destructive              bool   // takes something away that was there
	Adds                     bool   // does it once more when it is called again
	Closed                   bool   // does not reach beyond the vault
	Anonymous                bool   // answers guests too
	Bulk                     bool   // moves a lot, with guard.Op.Bulk, and may take long
	// BulkFor is Bulk for some arguments only. Optional.
	BulkFor func(in In) bool
	Run     func(ctx context.Context, set *Set, in In) (Out, string, error)
}

// Register adds a tool to s. It panics on an In or Out that has no schema. The SDK's own handling of arguments is not used:
// it echoes what it cannot read and does not say what it knows.
func Register[In, Out any](s *mcp.Server, t *Set, def Spec[In, Out]) {
	if def.Toolset != "" && !slices.Contains(t.Toolsets, def.Toolset) && !slices.Contains(t.Toolsets, "all") {
		return
	}
	args := arguments.Of[In]()
	s.AddTool(&mcp.Tool{
		Name: def.Name, Title: def.Title, Description: def.Description,
		InputSchema: settled(schema[In]()), OutputSchema: open(settled(schema[Out]())),
		Annotations: def.annotations(),
	}, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var out Out
		var text string
		begun := time.Now()
		ctx = guard.Asking(Telling(ctx, req.Session, req.Params), req.Params.Arguments)
		in, err := args.Read(req.Params.Arguments)
		if err == nil {
			ctx, err = answered(ctx, req)
		}
		if err == nil {
			limit := patience
			if def.Bulk || def.BulkFor != nil && def.BulkFor(in) {
				limit += bulk.Timeout
			}
			err = t.within(ctx, limit, !def.Anonymous, func(ctx context.Context) (err error) {
				out, text, err = def.Run(ctx, t, in)
				return err
			})
		}
		if err != nil {
			err = t.Door.Refuse(ctx, def.Name, err)
			if question := asks(req, err); question != nil {
				return question, nil
			}
			return t.refuse(ctx, def.Name, err), nil
		}
		Log(ctx, "debug", fmt.Sprintf("%s answered in %v", def.Name, time.Since(begun).Round(time.Millisecond)))
		return t.answer(ctx, def.Name, out, text), nil
	})
}

// annotations says what is not as clients must think when nothing is said:
// every conversation pays for the rest.
func (def Spec[In, Out]) annotations() *mcp.ToolAnnotations {
	// A write carries its version or a title that is taken after it: a second
	// one of the same arguments is refused.
	hints := &mcp.ToolAnnotations{ReadOnlyHint: !def.Write, IdempotentHint: !def.Adds}
	if def.Write {
		hints.DestructiveHint = new(def.Destructive)
	}
	if def.Closed {
		hints.OpenWorldHint = new(false)
	}
	return hints
}

func (t *Set) answer(ctx context.Context, name string, out any, text string) *mcp.CallToolResult {
	var structured bytes.Buffer
	encoder := json.NewEncoder(&structured)
	encoder.SetEscapeHTML(false) // six bytes for each < of a page is a lot
	if err := encoder.Encode(out); err != nil {
		return t.refuse(ctx, name, fmt.Errorf("encoding the answer of %s: %w", name, err))
	}
	content := []mcp.Content{&mcp.TextContent{Text: text}}
	if more, ok := out.(interface{ Content() []mcp.Content }); ok {
		content = append(content, more.Content()...)
	}
	return &mcp.CallToolResult{
		Content:           content,
		StructuredContent: json.RawMessage(bytes.TrimSpace(structured.Bytes())),
	}
}

// Detailed adds something to read below the text of an error.
func Detailed(err error, detail string) error { return &detailed{err, detail} }

type detailed struct {
	error
	detail string
}

// Unwrap gives the error itself.
func (d *detailed) Unwrap() error { return d.error }

// refuse makes a result of an error. What is not meant for people goes to the
// log under a reference.
func (t *Set) refuse(ctx context.Context, name string, err error) *mcp.CallToolResult {
	reference, level := "", mcp.LoggingLevel("notice")
	if _, ok := usererr.From(err); !ok {
		level = "error"
		caller, _ := identity.From(ctx) // only for the log
		reference = identity.NewID("r_")[:14]
		t.Log.ErrorContext(ctx, "a tool ended with an internal error", "err", err, "reference", reference,
			"tool", name, "tenant", caller.Tenant, "person", caller.Person, "stream", caller.Stream, "call", caller.Call)
	}
	text := usererr.Text(err, reference)
	Log(ctx, level, name+" was refused: "+text)
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

// settled leaves out that lists could be null, which they never are.
func settled(s *jsonschema.Schema) *jsonschema.Schema {
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	for _, member := range s.Properties {
		settled(member)
	}
	if s.Items != nil {
		settled(s.Items)
	}
	return s
}

// open lets an answer have members that a client with an older schema does not
// know.
func open(s *jsonschema.Schema) *jsonschema.Schema {
	s.AdditionalProperties = nil
	for _, member := range s.Properties {
		open(member)
	}
	if s.Items != nil {
		open(s.Items)
	}
	return s
}

// patience is how long a call may take with its sign-in: many clients give
// up after 60 seconds.
const patience = 57 * time.Second

// signedIn runs call, and once more after a sign-in if it needs one and may
// wait for it.
func (t *Set) signedIn(ctx context.Context, wait bool, call func(context.Context) error) error {
	return t.within(ctx, patience, wait, call)
}

// within is signedIn with another patience.
func (t *Set) within(ctx context.Context, limit time.Duration, wait bool, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := call(ctx)
	if !wait || usererr.CodeOf(err) != usererr.SignIn {
		return err
	}
	before, _ := identity.From(ctx) // a guest has begun nothing
	caller, err := t.SignIn.Await(ctx)
	if err != nil {
		return err
	}
	// A write that was under way when the sign-in ended is looked up in the
	// journal, not made again.
	caller.Replayed = before.Replayed || !before.Guest()
	return call(identity.With(ctx, caller))
}
