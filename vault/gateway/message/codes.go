package message

import (
	"context"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// JSON-RPC error codes of ours, in the range that the standard leaves to
// servers.
const (
	codeLimit       = -32010
	codeSignIn      = -32011
	codeDenied      = -32012
	codeUnavailable = -32013
	codeConflict    = -32014
	codeCancelled   = -32800 // as in the Language Server Protocol
)

// rpcCode is the one table from user errors to JSON-RPC.
func rpcCode(code usererr.Code) int64 {
	switch code {
	case usererr.BadInput, usererr.NotFound:
		return jsonrpc.CodeInvalidParams
	case usererr.SignIn, usererr.SignInOpen, usererr.Refused, usererr.Revoked, usererr.Unauthorized, usererr.Scope:
		return codeSignIn
	case usererr.Denied:
		return codeDenied
	case usererr.RateLimited, usererr.TooLarge:
		return codeLimit
	case usererr.Unavailable, usererr.Timeout:
		return codeUnavailable
	case usererr.Conflict, usererr.Unknown:
		return codeConflict
	case usererr.Version:
		return jsonrpc.CodeInvalidRequest
	case usererr.Internal, usererr.Settings:
	}
	return jsonrpc.CodeInternalError
}

// Error is what may be said of err: the text of user errors and of errors
// that were made for the wire, and nothing of others.
func Error(err error, reference string) *jsonrpc.Error {
	if user, ok := usererr.From(err); ok {
		return &jsonrpc.Error{Code: rpcCode(user.Code), Message: usererr.Text(err, reference)}
	}
	if said, ok := errors.AsType[*jsonrpc.Error](err); ok {
		if err == error(said) {
			return said
		}
		return &jsonrpc.Error{Code: said.Code, Message: err.Error(), Data: said.Data}
	}
	if errors.Is(err, context.Canceled) {
		return &jsonrpc.Error{Code: codeCancelled, Message: "cancelled"}
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: usererr.Text(err, reference)}
}
