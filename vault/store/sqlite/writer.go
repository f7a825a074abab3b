package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

const (
	// groupSize is how many operations share a commit at most.
	groupSize = 64
	// patientTurns is how often others may run without bringing anything, when
	// there was company the time before, and politeTurns when there was none: a
	// call that stores two things does so at the same time.
	patientTurns = 12
	politeTurns  = 2

	savepoint        = "SAVEPOINT op"
	releaseSavepoint = "RELEASE op"
	rollbackTo       = "ROLLBACK TO op"
)

// errAborted says that the transaction is gone as a whole, as SQLite decides
// on a full disk: what ran in it did not happen.
var errAborted = errors.New("transaction aborted")

// operation is one caller's write.
type operation struct {
	ctx  context.Context // without cancellation
	run  func(ctx context.Context, tx *sql.Tx) error
	done chan error // capacity 1: the caller may have left

	mu   sync.Mutex // held while run runs
	left bool       // guarded by mu; the caller waits no more, so run must not run
	err  error      // what the last run returned; of the writer
}

// writer owns the connection that writes.
type writer struct {
	life  context.Context // of the transactions; ends never
	db    *sql.DB
	hot   map[string]*sql.Stmt
	queue chan *operation // unbuffered: what is not taken did not begin
	scrub chan struct{}   // capacity 1: the log is to be cut off
	stop  chan struct{}   // closed by close
	ended chan struct{}   // closed when loop has returned
}

func newWriter(life context.Context, db *sql.DB, hot map[string]*sql.Stmt) *writer {
	return &writer{
		life: life, db: db, hot: hot,
		queue: make(chan *operation), scrub: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

func (w *writer) close(patience time.Duration) error {
	close(w.stop)
	select {
	case <-w.ended:
		return nil
	case <-time.After(patience):
		return errors.New("the disk does not answer: a write is not finished")
	}
}

func (w *writer) do(ctx context.Context, run func(ctx context.Context, tx *sql.Tx) error) error {
	op := &operation{ctx: context.WithoutCancel(ctx), run: run, done: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing to the store: %w", err)
	}
	select {
	case w.queue <- op:
	case <-w.stop:
		return engine.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("waiting to write to the store: %w", ctx.Err())
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
	}
	// Waits while run runs, which may use what the caller is about to read.
	op.mu.Lock()
	op.left = true
	op.mu.Unlock()
	select {
	case err := <-op.done:
		return err
	default:
		return fmt.Errorf("writing to the store, perhaps done: %w", ctx.Err())
	}
}

// loop takes what waits and commits it, until the end.
func (w *writer) loop() {
	defer close(w.ended)
	group := make([]*operation, 0, groupSize)
	var scrub scrubber
	for {
		busy := len(group) > 1
		clear(group)
		select {
		case op := <-w.queue:
			group = append(group[:0], op)
		case <-w.scrub:
			scrub.try(w, true)
			continue
		case <-scrub.again:
			scrub.try(w, false)
			continue
		case <-w.stop:
			return
		}
		group = w.gather(group, busy)
		w.commit(group)
	}
}

// gather adds to group what waits already. When there was company the time
// before, it lets others run first, for as long as that brings more: those who
// were just answered, or are a step away, share the commit, which is what costs.
func (w *writer) gather(group []*operation, company bool) []*operation {
	patience := politeTurns
	if company {
		patience = patientTurns
	}
	for turns := 0; len(group) < groupSize; {
		select {
		case op := <-w.queue:
			group = append(group, op)
			turns = 0
			continue
		default:
		}
		if turns++; turns > patience {
			return group
		}
		runtime.Gosched()
	}
	return group
}

// commit runs the group in one transaction and answers it. When that fails as
// a whole, each operation gets a transaction of its own, so that one that is
// too large for the disk does not take others with it.
func (w *writer) commit(group []*operation) {
	err := w.transact(group)
	if err == nil {
		for _, op := range group {
			op.done <- op.err
		}
		return
	}
	alone := len(group) > 1 && errors.Is(err, errAborted)
	for i := range group {
		if alone {
			err = w.transact(group[i : i+1])
			alone = err == nil || errors.Is(err, errAborted)
		}
		if err == nil {
			err = group[i].err
		}
		group[i].done <- err
	}
}

// transact runs the group and commits it, or returns why nothing of it
// happened; the error is [errAborted] as well if trying again makes sense.
func (w *writer) transact(group []*operation) error {
	tx, err := w.db.BeginTx(w.life, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", translate(err))
	}
	alone, ran := len(group) == 1, 0
	for _, op := range group {
		op.err = w.perform(op, tx, alone)
		if errors.Is(op.err, errAborted) {
			_ = tx.Rollback() // there may be nothing left to roll back
			return op.err
		}
		if op.err == nil {
			ran++
		}
	}
	if ran == 0 {
		_ = tx.Rollback() // nothing was changed
		return nil
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: committing: %w", errAborted, translate(err))
	}
	return nil
}

// perform runs one operation in its savepoint. One that is alone in its
// transaction needs none: what it did goes with that if it fails.
func (w *writer) perform(op *operation, tx *sql.Tx, alone bool) error {
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.left {
		return context.Canceled // nobody hears this
	}
	if alone {
		return translate(call(op, tx))
	}
	if err := w.exec(tx, savepoint); err != nil {
		return fmt.Errorf("%w: %w", errAborted, err)
	}
	failed := translate(call(op, tx))
	if failed != nil {
		if err := w.exec(tx, rollbackTo); err != nil {
			return fmt.Errorf("%w: %w", errAborted, failed)
		}
	}
	if err := w.exec(tx, releaseSavepoint); err != nil {
		return fmt.Errorf("%w: %w", errAborted, errors.Join(failed, err))
	}
	return failed
}

// call runs the operation. A panic must not end the writer, on which everybody
// waits.
func call(op *operation, tx *sql.Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a store operation: %v", r)
		}
	}()
	return op.run(op.ctx, tx)
}

func (w *writer) exec(tx *sql.Tx, query string) error {
	_, err := tx.StmtContext(w.life, w.hot[query]).ExecContext(w.life)
	return translate(err)
}
