package conformance_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// shim is the program; set once, before any test.
var shim string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "coatcheck-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shim = filepath.Join(dir, "coatcheck")
	build := exec.Command("go", "build", "-trimpath", "-o", shim, "./cmd/coatcheck")
	build.Dir, build.Env = testenv.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the shim: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// everybody is a store of sessions in which each device is signed in.
type everybody struct{}

// Current implements [gateway.Sessions].
func (everybody) Current(_ context.Context, device identity.DeviceID) (session.Session, error) {
	return session.Session{
		ID: "s_1", Device: device, Person: "p_1", Tenant: "acme",
		Created: time.Now(), IdleUntil: time.Now().Add(time.Hour), Until: time.Now().Add(time.Hour),
	}, nil
}

// Touch implements [gateway.Sessions].
func (everybody) Touch(context.Context, session.Session) error { return nil }

// Epoch implements [gateway.Sessions].
func (everybody) Epoch(context.Context) (int64, error) { return 1, nil }

// memory remembers proofs.
type memory struct{ seen sync.Map }

// Remember implements [dpop.Replay].
func (m *memory) Remember(_ context.Context, id string, _ time.Time) error {
	if _, twice := m.seen.LoadOrStore(id, true); twice {
		return dpop.ErrReplayed
	}
	return nil
}

// newVault puts server behind a gateway and returns its address.
func newVault(t *testing.T, server *mcp.Server) string {
	t.Helper()
	nonces := dpop.NewNonces([]byte("0123456789abcdef0123456789abcdef"), time.Minute)
	mux := http.NewServeMux()
	front := httptest.NewServer(mux)
	g := gateway.New(gateway.Config{
		Sessions: everybody{}, Nonces: nonces, PublicURL: front.URL, MaxPerDevice: 500,
		Verifier: dpop.NewVerifier(dpop.VerifierConfig{Nonces: nonces, Replay: &memory{}}),
		Log:      slog.New(slog.DiscardHandler),
	})
	g.Serve(server)
	mux.Handle("GET "+wire.ConnectPath, g)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = g.Run(ctx) }() // ends with the test
	t.Cleanup(func() {
		cancel()
		<-ended
		front.Close()
	})
	return front.URL
}
