package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// TestAccessIsTakenAwaySoak has many people's streams open at three vaults and
// ends those of one person after the other, then all that are left.
func TestAccessIsTakenAwaySoak(t *testing.T) {
	t.Parallel()
	people, each := 5, 12
	if soak() {
		people, each = 100, 30
	}
	server := newPostgres(t)
	opt := stage.Options{Vaults: replicas, Store: server.Database(t)}
	w := newWorld(t, opt)
	for _, v := range w.Vaults[1:] {
		if err := v.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), opt.Store, w.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	idle := &idlers{url: w.VaultURL, sessions: session.New(session.Config{Store: db}), open: make([]atomic.Int64, people), last: make([]atomic.Int64, people)}
	defer idle.leave()
	var arriving errgroup.Group
	arriving.SetLimit(16)
	for person := range people {
		for range each {
			arriving.Go(func() error { return idle.arrive(t.Context(), person) })
		}
	}
	if err := arriving.Wait(); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	alone := people - people/10 - 1
	for person := range alone {
		took = append(took, idle.revoked(t, []int{person}, func() { w.vault("revoke", "--person", name(person), "--yes") }))
	}
	var rest []int
	for person := alone; person < people; person++ {
		if n := idle.open[person].Load(); n != int64(each) {
			t.Errorf("%d of %d streams of %s are open, whom nothing was taken from", n, each, name(person))
		}
		rest = append(rest, person)
	}
	all := idle.revoked(t, rest, func() { w.vault("revoke", "--everything", "--yes") })
	slices.Sort(took)
	t.Logf("%d streams; from the start of the command to the last closed socket: median %v, p99 %v of %d people, everybody else %v",
		people*each, took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), alone, all.Round(time.Millisecond))
}

func name(person int) string { return fmt.Sprintf("p_idler%04d", person) }

// idlers are streams of people who do nothing.
type idlers struct {
	url      string
	sessions *session.Keeper
	nonce    atomic.Pointer[string] // the vault's latest
	open     []atomic.Int64         // by person
	last     []atomic.Int64         // by person: when the last one was closed, in Unix nanoseconds

	mu      sync.Mutex
	conns   []*wsconn.Conn // guarded by mu
	reading sync.WaitGroup
}

// arrive opens a stream of a device of its own.
func (i *idlers) arrive(ctx context.Context, person int) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	device, err := dpop.Thumbprint(&key.PublicKey)
	if err != nil {
		return err
	}
	if _, err := i.sessions.Start(ctx, session.Who{Device: identity.DeviceID(device), Person: identity.PersonID(name(person)), Tenant: stage.Tenant}); err != nil {
		return err
	}
	conn, err := i.dial(ctx, key)
	if err != nil {
		return err
	}
	if err := conn.WriteBinary(wire.Encode(wire.KindHello, wire.Hello{Stream: "idler-" + device[:12]})); err != nil {
		return err
	}
	if _, _, err := conn.Read(); err != nil {
		return fmt.Errorf("after hello: %w", err)
	}
	i.mu.Lock()
	i.conns = append(i.conns, conn)
	i.mu.Unlock()
	i.open[person].Add(1)
	i.reading.Go(func() { // ends with the connection
		for {
			if _, _, err := conn.Read(); err != nil {
				i.last[person].Store(time.Now().UnixNano())
				i.open[person].Add(-1)
				return
			}
		}
	})
	return nil
}

func (i *idlers) dial(ctx context.Context, key *ecdsa.PrivateKey) (*wsconn.Conn, error) {
	for try := 0; ; try++ {
		claims := dpop.Claims{Method: http.MethodGet, URL: i.url + wire.ConnectPath}
		if nonce := i.nonce.Load(); nonce != nil {
			claims.Nonce = *nonce
		}
		proof, err := dpop.Prove(key, claims)
		if err != nil {
			return nil, err
		}
		conn, answer, err := wsconn.Dial(ctx, "ws"+strings.TrimPrefix(i.url, "http")+wire.ConnectPath, wsconn.DialOptions{Header: http.Header{"Dpop": {proof}}})
		if err == nil {
			return conn, nil
		}
		if answer == nil || answer.StatusCode != http.StatusUnauthorized || try > 3 {
			return nil, err
		}
		fresh := answer.Header.Get(dpop.NonceHeader)
		i.nonce.Store(&fresh)
	}
}

// revoked runs a command and returns how long it took from its start until no
// socket of the people was open.
func (i *idlers) revoked(t *testing.T, people []int, command func()) time.Duration {
	t.Helper()
	began := time.Now()
	command()
	took := time.Duration(0)
	for _, person := range people {
		for end := time.Now().Add(15 * time.Second); i.open[person].Load() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d streams of %s are still open", i.open[person].Load(), name(person))
			}
		}
		took = max(took, time.Unix(0, i.last[person].Load()).Sub(began))
	}
	return took
}

func (i *idlers) leave() {
	i.mu.Lock()
	for _, conn := range i.conns {
		_ = conn.Close(wsconn.CodeNormal, "")
	}
	i.mu.Unlock()
	i.reading.Wait()
}
