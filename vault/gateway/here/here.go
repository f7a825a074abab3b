// Package here knows the request that a context belongs to: over which stream
// it came, from whom, and how its maker hears of progress. With that it has the
// files of the maker's computer for tools that move some.
package here

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/transfer"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Request is a request that came over a stream.
type Request struct {
	Stream   *stream.Stream
	Caller   identity.Caller
	Session  *mcp.ServerSession // for progress
	Progress any                // the request's progress token; nil if none
}

type key struct{}

// With returns a context for the work on a request.
func With(ctx context.Context, r Request) context.Context { return context.WithValue(ctx, key{}, r) }

// From returns the request that ctx belongs to.
func From(ctx context.Context) (Request, bool) {
	r, ok := ctx.Value(key{}).(Request)
	return r, ok
}

// Tell sends progress, if the client asked for it.
func (r Request) Tell(ctx context.Context, step int, message string) {
	if r.Progress == nil || r.Session == nil {
		return
	}
	_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ // best effort
		// Small, since progress never goes back and the call itself counts on.
		ProgressToken: r.Progress, Progress: float64(step) / 1000, Message: message,
	})
}

var _ tool.Computer = Computer{}

// Computer is the computer whose shim the request in a context came from.
type Computer struct{}

// Open implements tool.Computer.
func (Computer) Open(ctx context.Context, path string) (tool.Source, error) {
	desk, call, err := deskOf(ctx)
	if err != nil {
		return nil, err
	}
	source, err := desk.Open(ctx, call, path)
	if err != nil {
		return nil, err
	}
	return source, nil
}

// Create implements tool.Computer.
func (Computer) Create(ctx context.Context, folder, name string, size int64) (tool.Target, error) {
	desk, call, err := deskOf(ctx)
	if err != nil {
		return nil, err
	}
	target, err := desk.Create(ctx, call, wire.FileOpen{Path: folder, Name: name, Size: size})
	if err != nil {
		return nil, err
	}
	return target, nil
}

// deskOf is the desk of the stream that the call in ctx came over.
func deskOf(ctx context.Context) (*transfer.Desk, string, error) {
	at, ok := From(ctx)
	if !ok {
		return nil, "", usererr.New(usererr.Unavailable, "This call did not come over a connection that can move files", "Ask again through Coatcheck on your computer")
	}
	desk, err := at.Stream.Files()
	return desk, at.Caller.Call, err
}
