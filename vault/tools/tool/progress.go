package tool

//lint:file-ignore SA1019 clients have roots and logging for a year to come, and nothing else in their place

import (
	"context"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// progressPace is the least time between two notifications of one request:
// more would only fill the stream.
const progressPace = 250 * time.Millisecond

// asked is the request that a call answers, as far as it can be told of what
// happens meanwhile.
type asked struct {
	session *mcp.ServerSession
	token   any // the client's progress token; nil if it wants none

	mu   sync.Mutex
	last float64   // guarded by mu; what was told last
	at   time.Time // guarded by mu; and when
}

type askedKey struct{}

// Telling returns a context for the work on a request, in which [Progress] and
// [Log] reach the client. Params are those of the request.
func Telling(ctx context.Context, session *mcp.ServerSession, params interface{ GetProgressToken() any }) context.Context {
	if session == nil {
		return ctx
	}
	return context.WithValue(ctx, askedKey{}, &asked{session: session, token: params.GetProgressToken()})
}

// Progress tells the client how far a call is, if it asked for that: done of
// total parts, 0 for a total that is not known, and a few words for the person.
// It may be called as often as there is news and from any goroutine of the
// call: what comes too soon after the last one, or does not go forward, is not
// sent. The last part always is.
func Progress[N int | int64 | float64](ctx context.Context, done, total N, message string) {
	a, ok := ctx.Value(askedKey{}).(*asked)
	if !ok || a.token == nil || ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock() // held while sending, so that the numbers never go back
	now := time.Now()
	ends := total > 0 && done >= total
	if float64(done) <= a.last || !ends && now.Sub(a.at) < progressPace {
		return
	}
	a.last, a.at = float64(done), now
	_ = a.session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ // best effort
		ProgressToken: a.token, Progress: float64(done), Total: float64(total), Message: message,
	})
}

// Log sends a log message to the client, if it asked for messages of that
// level. The text must be fit for a person: nothing of Confluence's content and
// no internal error.
func Log(ctx context.Context, level mcp.LoggingLevel, text string) {
	a, ok := ctx.Value(askedKey{}).(*asked)
	if !ok {
		return
	}
	_ = a.session.Log(ctx, &mcp.LoggingMessageParams{Level: level, Logger: "coatcheck", Data: text}) // best effort
}
