// Package tools is the MCP surface: it describes the tools to models, checks
// their arguments, calls the guard and phrases its answers. It never speaks
// to Confluence itself and keeps nothing between calls.
package tools

import (
	"context"
	"log/slog"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
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

// Config is what the tools need. All fields are required.
type Config struct {
	Door    *guard.Door
	Version string
	SignIn  SignIn
	Log     *slog.Logger
}

// New returns the MCP server that all streams share.
func New(cfg Config) *mcp.Server {
	return mcp.NewServer(&mcp.Implementation{Name: "coatcheck", Version: cfg.Version}, nil)
}
