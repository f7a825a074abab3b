package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// heard runs Moves until the test ends.
func heard(t *testing.T, db *store.DB) (moves chan struct{}, end func()) {
	t.Helper()
	moves = make(chan struct{}, 100)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		db.Moves(ctx, func() { moves <- struct{}{} })
	}()
	end = func() {
		stop()
		<-ended
	}
	t.Cleanup(end)
	return moves, end
}

func wait(t *testing.T, moves chan struct{}, what string) {
	t.Helper()
	select {
	case <-moves:
	case <-time.After(20 * time.Second):
		t.Fatal("not heard: " + what)
	}
}

func quiet(t *testing.T, moves chan struct{}, what string) {
	t.Helper()
	select {
	case <-moves:
		t.Error("heard: " + what)
	case <-time.After(100 * time.Millisecond):
	}
}

// Another replica hears of a revocation, and of nothing else; and it listens
// again when its connection was lost.
func TestAnotherReplicaHearsOfARevocation(t *testing.T) {
	url := testenv.Postgres(t)
	one, other := openAt(t, url), openAt(t, url)
	s := sessionOf("d", "p_ada")
	moves, end := heard(t, other)
	wait(t, moves, "that it listens")
	if err := one.SessionStart(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	quiet(t, moves, "a sign-in")
	if err := one.SessionRevoke(t.Context(), s.ID, now); err != nil {
		t.Fatal(err)
	}
	wait(t, moves, "a revocation")

	direct := plain(t, "pgx", url)
	cut, err := direct.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'")
	if n, _ := cut.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d connections were cut, %v", n, err)
	}
	wait(t, moves, "that it listens again")
	again := sessionOf("d2", "p_ada")
	if err := errors.Join(one.SessionStart(t.Context(), again), one.SessionRevoke(t.Context(), again.ID, now)); err != nil {
		t.Fatal(err)
	}
	wait(t, moves, "a revocation after that")
	end()
	third := sessionOf("d3", "p_ada")
	if err := errors.Join(one.SessionStart(t.Context(), third), one.SessionRevoke(t.Context(), third.ID, now)); err != nil {
		t.Errorf("with nobody who listens: %v", err)
	}
	quiet(t, moves, "after the end")
}

// A file is on one machine: there is nothing to hear.
func TestAFileSaysNothing(t *testing.T) {
	db := openAt(t, engines["file"](t))
	moves := make(chan struct{}, 1)
	db.Moves(t.Context(), func() { moves <- struct{}{} }) // returns
	s := sessionOf("d", "p_ada")
	if err := errors.Join(db.SessionStart(t.Context(), s), db.SessionRevoke(t.Context(), s.ID, now)); err != nil {
		t.Fatal(err)
	}
	quiet(t, moves, "a revocation")
}
