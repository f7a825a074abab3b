// Package chain reads audit chains, and appends to those that other replicas
// append to as well. All records that wait for a chain go in one statement, and
// nothing is locked between statements, so that a far server costs a call one
// round trip. What else a call stores at its end goes along with its record.
package chain

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

const (
	batchSize = 64
	timeout   = 10 * time.Second
	// aloneTimeout is the least for what did not go along, once its record is
	// stored.
	aloneTimeout = 2 * time.Second
	// Other replicas may be faster so many times before a record is given up.
	maxTries = 100

	// What goes along may find its row locked: then the server undoes all of it,
	// and the record goes without. It lasts as long as the transaction; SET LOCAL
	// would be the same, but the server warns of one that begins a pipeline.
	impatient = "SELECT set_config('lock_timeout', '2000', true)" // milliseconds

	findEnd = "SELECT seq, hash FROM audit_heads WHERE tenant = $1"

	// Moving the end of the chain and adding to it are one statement, which
	// does nothing if the end is not where it was thought to be.
	begin = `WITH moved AS (
		INSERT INTO audit_heads (tenant, seq, hash) VALUES ($1, $2, $3) ON CONFLICT (tenant) DO NOTHING RETURNING 1)`
	move = `WITH moved AS (
		UPDATE audit_heads SET seq = $2, hash = $3 WHERE tenant = $1 AND seq = $10 AND hash = $11 RETURNING 1)`
	add = `
		INSERT INTO audit (tenant, seq, at, event, body, prev, hash)
		SELECT $1, seq, at, event, body, prev, hash
		FROM unnest($4::BIGINT[], $5::BIGINT[], $6::TEXT[], $7::BYTEA[], $8::BYTEA[], $9::BYTEA[]) AS r (seq, at, event, body, prev, hash)
		WHERE EXISTS (SELECT 1 FROM moved) ORDER BY seq`
)

var errCrowded = errors.New("other replicas were always faster to add to the audit chain")

// Engine is what an appender needs of a database. Its methods may be called
// from many goroutines.
type Engine interface {
	Read() *sql.DB
	// Together runs statements in one transaction and one round trip, and
	// returns how many rows each changed. [engine.ErrUndone] is in the chain of
	// an error if nothing was changed for certain.
	Together(ctx context.Context, all []engine.Statement) ([]int64, error)
	// Single runs one statement, as often as it is worth it.
	Single(ctx context.Context, query string, args ...any) (rows int64, err error)
	// Again reports whether what failed is worth another try, after so many
	// tries that failed.
	Again(err error, tries int) bool
}

// Appender appends, from many goroutines.
type Appender struct {
	engine Engine

	mu      sync.Mutex
	lines   map[identity.TenantID]*line // guarded by mu
	closed  bool                        // guarded by mu
	running sync.WaitGroup
}

// line is what waits for one chain.
type line struct {
	waiting []*addition // guarded by the appender's mu
	busy    bool        // guarded by the appender's mu; somebody appends
	head    audit.Head  // where the chain may end; of who appends
	known   bool        // of head
}

type addition struct {
	next  func(audit.Head) audit.Record
	along *passenger // of who appends; nil for none, or when it has gone
	done  chan error // capacity 1: the caller may have left
}

// passenger is a statement that goes along with a record.
type passenger struct {
	engine.Statement
	taken atomic.Bool
	done  chan outcome // capacity 1: the caller may have left
}

type outcome struct {
	rows  int64
	alone bool // it was not done, or nobody knows: it has to go by itself
}

type passengerKey struct{}

// New returns an appender to the tables in a database.
func New(e Engine) *Appender {
	return &Appender{engine: e, lines: map[identity.TenantID]*line{}}
}

// Close returns when nothing is appended any more. It may be called on nil.
func (c *Appender) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.running.Wait()
}

// Append adds the record that next makes of the end of tenant's chain; next may
// run more than once. When ctx ends while others are appending, the record may
// be added all the same; where nobody is, Append sees it through, which takes
// 10 s at most. [engine.ErrClosed] after Close.
func (c *Appender) Append(ctx context.Context, tenant identity.TenantID, next func(audit.Head) audit.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := &addition{next: next, done: make(chan error, 1)}
	if p, ok := ctx.Value(passengerKey{}).(*passenger); ok && p.taken.CompareAndSwap(false, true) {
		a.along = p
	}
	life := context.WithoutCancel(ctx)
	c.mu.Lock()
	l := c.lines[tenant]
	if l == nil {
		l = &line{}
		c.lines[tenant] = l // tenants are few: those of the settings
	}
	switch {
	case c.closed:
		c.mu.Unlock()
		return engine.ErrClosed
	case !l.busy:
		l.busy = true
		c.running.Add(1)
		c.mu.Unlock()
		return c.first(life, tenant, l, a)
	}
	l.waiting = append(l.waiting, a)
	c.mu.Unlock()
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("adding to the audit chain, perhaps done: %w", ctx.Err())
	}
}

// first appends where nobody else does, by itself: to wake a goroutine for that
// costs a call more than making the record. It does not wait for those who have
// come meanwhile.
func (c *Appender) first(ctx context.Context, tenant identity.TenantID, l *line, a *addition) error {
	defer c.running.Done()
	err := c.add(ctx, tenant, l, []*addition{a})
	if batch := c.next(l); len(batch) > 0 {
		c.running.Go(func() { c.run(ctx, tenant, l, batch) }) // ends when nobody waits
	}
	return err
}

// Along calls record, and runs a statement in the transaction of what record
// appends with its context; by itself if that is nothing, or fails. It returns
// how many rows the statement changed. One that runs twice must come to the
// same.
func (c *Appender) Along(ctx context.Context, record func(context.Context), query string, args ...any) (rows int64, err error) {
	p := &passenger{Statement: engine.Statement{Query: query, Args: args}, done: make(chan outcome, 1)}
	record(context.WithValue(ctx, passengerKey{}, p))
	select {
	case out := <-p.done:
		if !out.alone {
			return out.rows, nil
		}
	default: // it did not go, or has not come back
	}
	// The record may have taken all the time there was.
	until := time.Now().Add(aloneTimeout)
	if d, ok := ctx.Deadline(); ok && d.After(until) {
		until = d
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	return c.engine.Single(ctx, query, args...)
}

// run appends a batch, and what waits until nothing does.
func (c *Appender) run(ctx context.Context, tenant identity.TenantID, l *line, batch []*addition) {
	for len(batch) > 0 {
		err := c.add(ctx, tenant, l, batch)
		for _, a := range batch {
			a.done <- err
		}
		batch = c.next(l)
	}
}

// next returns what waits, some of it if it is much. Where nothing does, nobody
// appends any more.
func (c *Appender) next(l *line) []*addition {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := l.waiting[:min(len(l.waiting), batchSize)]
	l.waiting = l.waiting[len(batch):]
	if len(batch) == 0 {
		l.busy, l.waiting = false, nil
	}
	return batch
}

// add appends a batch, however often others come first. A panic of whoever
// makes a record must not end the process, and those who wait hear of it.
func (c *Appender) add(ctx context.Context, tenant identity.TenantID, l *line, batch []*addition) (err error) {
	defer func() {
		if r := recover(); r != nil {
			l.known, err = false, fmt.Errorf("panic while adding to the audit chain: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for try := range maxTries {
		if !l.known {
			head, err := c.end(ctx, tenant)
			if err != nil {
				return err
			}
			l.head, l.known = head, true
		}
		end, added, err := c.try(ctx, tenant, l.head, batch)
		l.head, l.known = end, added
		if added {
			return nil
		}
		if err != nil && !c.engine.Again(err, 0) {
			return err
		}
		select {
		case <-time.After(rand.N(time.Millisecond << min(try/4, 5))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errCrowded
}

// try appends a batch after head and returns the new end, if that is still the
// end of the chain.
func (c *Appender) try(ctx context.Context, tenant identity.TenantID, head audit.Head, batch []*addition) (end audit.Head, added bool, err error) {
	var seqs, ats []int64
	var events []string
	var bodies, prevs, hashes [][]byte
	var along []*passenger
	end = head
	for _, a := range batch {
		r := a.next(end)
		seqs, ats, events = append(seqs, r.Seq), append(ats, r.Time.UnixMilli()), append(events, r.Event)
		bodies, prevs, hashes = append(bodies, solid(r.Body)), append(prevs, solid(r.Prev)), append(hashes, solid(r.Hash))
		end = audit.Head{Seq: r.Seq, Hash: r.Hash}
		if a.along != nil {
			along, a.along = append(along, a.along), nil
		}
	}
	query, args := begin, []any{tenant, end.Seq, solid(end.Hash), seqs, ats, events, bodies, prevs, hashes}
	if head.Seq > 0 {
		query, args = move, append(args, head.Seq, solid(head.Hash))
	}
	n, err := c.send(ctx, engine.Statement{Query: query + add, Args: args}, along)
	return end, err == nil && n == int64(len(batch)), err
}

// send runs the statement of a batch, with those that go along if it can be.
func (c *Appender) send(ctx context.Context, s engine.Statement, along []*passenger) (rows int64, err error) {
	if len(along) > 0 {
		rows, err = c.sendAlong(ctx, s, along)
		if !errors.Is(err, engine.ErrUndone) {
			return rows, err
		}
	}
	done, err := c.engine.Read().ExecContext(ctx, s.Query, s.Args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// sendAlong runs what goes along first: where that has to wait for a lock, other
// replicas can add to the chain.
func (c *Appender) sendAlong(ctx context.Context, s engine.Statement, along []*passenger) (rows int64, err error) {
	var each []int64 // nil unless all went well
	defer func() {
		for i, p := range along {
			out := outcome{alone: true}
			if each != nil {
				out = outcome{rows: each[1+i]}
			}
			p.done <- out
		}
	}()
	all := append(make([]engine.Statement, 0, len(along)+2), engine.Statement{Query: impatient})
	for _, p := range along {
		all = append(all, p.Statement)
	}
	done, err := c.engine.Together(ctx, append(all, s))
	if err != nil {
		return 0, err
	}
	each = done
	return each[1+len(along)], nil
}

// end reads where the chain ends; the zero Head is that of a new one.
func (c *Appender) end(ctx context.Context, tenant identity.TenantID) (audit.Head, error) {
	var head audit.Head
	err := c.engine.Read().QueryRowContext(ctx, findEnd, tenant).Scan(&head.Seq, &head.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Head{}, nil
	}
	return head, err
}

// solid keeps the driver from storing an empty slice as NULL.
func solid(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
