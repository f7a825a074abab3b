package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	channel     = "coatcheck_moved"
	tellTimeout = time.Second
	// A server that went away without a word is noticed after so long.
	listenLife = 5 * time.Minute
	// Between two tries to listen, at least and at most.
	listenAgain = time.Second
	listenRest  = time.Minute
)

// Tell says to everybody who listens at this database that there is something
// new. It is a hint: it may be lost, and a server or a pooler that has no NOTIFY
// is none the worse. It waits at most a second.
func (db *DB) Tell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	_, _ = db.pool.ExecContext(ctx, "SELECT pg_notify($1, '')", channel) // a hint
}

// Listen calls heard after each [DB.Tell] of any process, and whenever it begins
// to listen anew, until ctx ends. It has a connection of its own.
func (db *DB) Listen(ctx context.Context, heard func()) {
	for wait := listenAgain; ctx.Err() == nil; wait = min(2*wait, listenRest) {
		began := time.Now()
		db.listen(ctx, heard)
		if time.Since(began) > listenRest {
			wait = listenAgain
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
		}
	}
}

// listen returns when it hears nothing any more.
func (db *DB) listen(ctx context.Context, heard func()) {
	conn, err := pgx.ConnectConfig(ctx, db.conf.Copy()) // which has a time limit
	if err != nil {
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	ctx, cancel := context.WithTimeout(ctx, listenLife)
	defer cancel()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return
	}
	for heard(); ; heard() {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
	}
}
