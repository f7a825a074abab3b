// Package role is what the bench's own program does in other processes: the
// servers at the far end of each contender, thousands of idle clients, and the
// stage with the whole vault. A role says on standard output when it is ready,
// as one line of JSON, and ends with its standard input.
package role

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/echo"
)

// The roles.
const (
	Socket      = "socket"   // a bare websocket that answers bytes: the limit
	HTTP        = "http"     // the echo server over streamable HTTP
	Vault       = "vault"    // the real gateway before the echo server
	Guests      = "guests"   // the same, with nobody signed in
	Idlers      = "idlers"   // streams that do nothing
	Whole       = "whole"    // simulated Atlassian, real vault, somebody signed in
	CollectPath = "/collect" // answers after a forced collection
)

// Ready is what a role says.
type Ready struct {
	URL  string   `json:"url,omitempty"`
	PID  int      `json:"pid,omitempty"`  // of the vault, for Whole
	Home string   `json:"home,omitempty"` // of the laptop, for Whole
	Env  []string `json:"env,omitempty"`  // likewise

	// For Whole: where the simulated Confluence is, a token for it, and a page.
	API   string `json:"api,omitempty"`
	Token string `json:"token,omitempty"`
	Page  string `json:"page,omitempty"`
}

// Run plays the role that args name until ctx or in ends.
func Run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _, _ = io.Copy(io.Discard, in); cancel() }() // ends with the process that started this one
	if len(args) == 0 {
		return fmt.Errorf("no role")
	}
	say := func(r Ready) error { return json.NewEncoder(out).Encode(r) }
	switch args[0] {
	case Socket:
		return serve(ctx, http.HandlerFunc(answerBytes), say)
	case HTTP:
		server := echo.New()
		return serve(ctx, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
			&mcp.StreamableHTTPOptions{JSONResponse: true}), say)
	case Vault, Guests:
		return vault(ctx, args[0] == Vault, say)
	case Idlers:
		return idlers(ctx, args[1:], say)
	case Whole:
		return whole(ctx, args[1:], say)
	}
	return fmt.Errorf("no role is called %q", args[0])
}

// listen opens a port on loopback.
func listen(ctx context.Context) (net.Listener, string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	return listener, "http://" + listener.Addr().String(), nil
}

// serve serves handler on a port of its own until ctx ends.
func serve(ctx context.Context, handler http.Handler, say func(Ready) error) error {
	listener, url, err := listen(ctx)
	if err != nil {
		return err
	}
	return serveOn(ctx, listener, handler, func() error { return say(Ready{URL: url}) })
}

func serveOn(ctx context.Context, listener net.Listener, handler http.Handler, ready func() error) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }() // ends with Close
	if err := ready(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return server.Close()
	case err := <-failed:
		return err
	}
}

// collect frees what can be freed and gives it back to the system.
func collect(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	debug.FreeOSMemory()
	_, _ = fmt.Fprintln(w, os.Getpid()) // the one who asks may have gone
}
