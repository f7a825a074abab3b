package tool

import (
	"context"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// questionID names the one question that a call may put to the person.
const questionID = "confirm"

// question is a refusal that turns into a question to the person where the
// client can ask one.
type question struct {
	error
	ask, state string
}

// Unwrap gives the refusal.
func (q *question) Unwrap() error { return q.error }

// Question makes of a refusal a question that the person may answer with yes
// or no, where the client can show one; the call then runs again and finds
// state in [Agreed]. Elsewhere it stays the refusal. State must be sealed: it
// passes through the client.
func Question(refusal error, ask, state string) error { return &question{refusal, ask, state} }

type agreedKey struct{}

// Agreed is the state of the question that the person has said yes to, "" for
// none.
func Agreed(ctx context.Context) string {
	state, _ := ctx.Value(agreedKey{}).(string)
	return state
}

// answered reads what the person said to the question of the round before. A
// person who did not say yes has refused.
func answered(ctx context.Context, req *mcp.CallToolRequest) (context.Context, error) {
	said, ok := req.Params.InputResponses[questionID].(*mcp.ElicitResult)
	switch {
	case !ok:
		return ctx, nil
	case said.Action != "accept":
		return ctx, usererr.New(usererr.Refused, "The person did not agree, so nothing was done", "Do not ask again unless the person wants it")
	}
	return context.WithValue(ctx, agreedKey{}, req.Params.RequestState), nil
}

// asks makes the result that puts a question to the person; nil if err is none
// or the client cannot ask.
func asks(req *mcp.CallToolRequest, err error) *mcp.CallToolResult {
	var q *question
	can := req.ClientCapabilities()
	if !errors.As(err, &q) || can == nil || can.Elicitation == nil || can.Elicitation.Form == nil && can.Elicitation.URL != nil {
		return nil
	}
	return &mcp.CallToolResult{
		RequestState: q.state,
		InputRequests: mcp.InputRequestMap{questionID: &mcp.ElicitParams{
			Mode: "form", Message: q.ask, RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}},
		}},
	}
}
