package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/here"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// receive is the receiving middleware of the shared server: it puts the caller
// into the context, keeps guests to what guests may, answers nothing while
// revocations cannot be known, and makes errors fit for the other side.
func (g *Gateway) receive(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (result mcp.Result, err error) {
		s, who, ok := stream.Of(ctx, req)
		switch {
		case s == nil:
			return next(ctx, method, req)
		case !ok:
			return nil, g.failed(errors.New("a request that is not under way"), method, who)
		}
		defer func() {
			if r := recover(); r != nil {
				result, err = nil, g.failed(fmt.Errorf("panic: %v\n%s", r, debug.Stack()), method, who)
			}
		}()
		if refused := g.mayAsk(who, method); refused != nil {
			return refusal(method, refused)
		}
		at := here.Request{Stream: s, Caller: who, Progress: progressToken(req)}
		at.Session, _ = req.GetSession().(*mcp.ServerSession)
		ctx = here.With(identity.With(ctx, who), at)
		if result, err = next(ctx, method, req); err != nil {
			return nil, g.failed(err, method, who)
		}
		return result, nil
	}
}

// hold keeps long results back from the SDK, which would read them several
// times over.
func (g *Gateway) hold(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		result, err := next(ctx, method, req)
		long, ok := result.(*mcp.CallToolResult)
		if err != nil || !ok || long == nil {
			return result, err
		}
		s, who, ok := stream.Of(ctx, req)
		if !ok || s == nil {
			return result, nil
		}
		short, err := s.Hold(who.Call, long)
		if err != nil {
			return nil, g.failed(err, method, who)
		}
		return short, nil
	}
}

// failed makes err fit for the other side and logs what that leaves out.
func (g *Gateway) failed(err error, method string, who identity.Caller) error {
	reference := identity.NewID("x_")[:12]
	said := message.Error(err, reference)
	if said.Code == jsonrpc.CodeInternalError {
		g.cfg.Log.Error("a request failed", "method", method, "device", who.Device, "stream", who.Stream, "call", who.Call, "reference", reference, "err", err)
	}
	return said
}

func progressToken(req mcp.Request) any {
	switch params := req.GetParams().(type) {
	case *mcp.CallToolParamsRaw:
		return params.GetProgressToken()
	case *mcp.ReadResourceParams:
		return params.GetProgressToken()
	}
	return nil
}

// mayAsk decides by method alone; what a call may do is the guard's business.
func (g *Gateway) mayAsk(who identity.Caller, method string) error {
	if strings.HasPrefix(method, "notifications/") || !touchesContent(method) {
		return nil
	}
	if g.blind() {
		return errBlind()
	}
	if who.Guest() && !mindsGuests(method) {
		return usererr.New(usererr.SignIn, "You are not signed in", "Call a tool first; it opens the sign-in in your browser")
	}
	return nil
}

// mindsGuests tells the methods whose handlers wait for a sign-in, or answer
// guests with nothing.
func mindsGuests(method string) bool {
	return method == "tools/call" || method == "resources/read" || method == "completion/complete"
}

// touchesContent tells the methods that set a conversation up or list what
// there is, which anybody may, from those that do something. A list of
// resources is the guard's business: guests get an empty one.
func touchesContent(method string) bool {
	switch method {
	case "initialize", "ping", "server/discover", "tools/list", "prompts/list", "prompts/get", "resources/list",
		"resources/templates/list", "logging/setLevel", stream.MethodListen:
		return false
	}
	return true
}

// refusal answers a call of a tool as tools do, so that models see the text.
func refusal(method string, err error) (mcp.Result, error) {
	if method != "tools/call" {
		return nil, message.Error(err, "")
	}
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: usererr.Text(err, "")}}}, nil
}

func errBlind() error {
	return usererr.New(usererr.Unavailable, "The vault cannot check at the moment whether access was revoked, so it answers nothing",
		"Try again in a minute; if it stays so, tell the administrator of the vault")
}

// Live returns nil while answers may go to the caller: a user error with code
// SignIn for a guest, Revoked when the session is gone, Unavailable when that
// cannot be known.
func (g *Gateway) Live(ctx context.Context, who identity.Caller) error {
	if who.Guest() {
		return usererr.New(usererr.SignIn, "You are not signed in", "Ask again to sign in")
	}
	if g.blind() {
		return errBlind()
	}
	// What was revoked a moment ago, perhaps by another process, counts now
	// and not when the watch comes round.
	epoch, err := g.epochs.Now(ctx)
	if err != nil {
		return usererr.Wrap(err, usererr.Unavailable, "The vault cannot check who is calling", "Try again in a minute")
	}
	if s := g.find(who.Device, who.Stream); s != nil {
		if now, closed := s.Standing(); !closed && now.Epoch == epoch {
			return same(now.Session, who)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now, err := g.cfg.Sessions.Current(ctx, who.Device)
	if err != nil && !errors.Is(err, session.ErrNone) {
		return usererr.Wrap(err, usererr.Unavailable, "The vault cannot check who is calling", "Try again in a minute")
	}
	return same(now, who)
}

// same accepts a newer session of the same person on the same device.
func same(now session.Session, who identity.Caller) error {
	if !stream.SameParty(now, session.Session{Person: who.Person, Tenant: who.Tenant}) {
		return stream.Gone()
	}
	return nil
}
