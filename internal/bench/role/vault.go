package role

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/echo"
	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	assembly "github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// vault is the real gateway with the echo server behind it, and no store.
func vault(ctx context.Context, signedIn bool, say func(Ready) error) error {
	listener, url, err := listen(ctx)
	if err != nil {
		return err
	}
	debug.SetGCPercent(assembly.GCPercent)
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	nonces := dpop.NewNonces(secret, time.Minute)
	g := gateway.New(gateway.Config{
		Server:    echo.New(),
		Sessions:  sessions{signedIn: signedIn},
		Nonces:    nonces,
		Verifier:  dpop.NewVerifier(dpop.VerifierConfig{Nonces: nonces, Replay: new(proofs)}),
		PublicURL: url,
		Log:       slog.New(slog.DiscardHandler),
	})
	mux := http.NewServeMux()
	mux.Handle("GET "+wire.ConnectPath, g)
	mux.HandleFunc("POST "+CollectPath, collect)
	var joined sync.WaitGroup
	defer joined.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	joined.Go(func() { _ = g.Run(ctx) }) // ends with ctx
	return serveOn(ctx, listener, mux, func() error { return say(Ready{URL: url}) })
}

// sessions says that somebody is signed in on every device, or on none.
type sessions struct{ signedIn bool }

// Current implements [gateway.Sessions].
func (s sessions) Current(_ context.Context, device identity.DeviceID) (session.Session, error) {
	if !s.signedIn {
		return session.Session{}, session.ErrNone
	}
	now := time.Now()
	return session.Session{
		ID: identity.SessionID("s_" + device), Device: device, Person: "p_bench", Tenant: "acme",
		Created: now, IdleUntil: now.Add(time.Hour), Until: now.Add(24 * time.Hour),
	}, nil
}

// Touch implements [gateway.Sessions].
func (sessions) Touch(context.Context, session.Session) error { return nil }

// Epoch implements [gateway.Sessions].
func (sessions) Epoch(context.Context) (int64, error) { return 1, nil }

// proofs remembers proofs for as long as the bench runs.
type proofs struct{ seen sync.Map }

// Remember implements [dpop.Replay].
func (p *proofs) Remember(_ context.Context, id string, _ time.Time) error {
	if _, twice := p.seen.LoadOrStore(id, nil); twice {
		return dpop.ErrReplayed
	}
	return nil
}
