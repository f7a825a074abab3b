package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/retain"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

var _ retain.Store = (*DB)(nil)

// dropAtOnce is how many records are deleted in one transaction, so that others
// can add theirs in between.
const dropAtOnce = 1000

// AuditSegments implements [audit.Sink].
func (db *DB) AuditSegments(ctx context.Context, tenant identity.TenantID) ([]audit.Segment, error) {
	rows, err := db.read().QueryContext(ctx,
		"SELECT first_seq, last_seq, prev, hash, since, until, note, dropped FROM audit_segments WHERE tenant = $1 ORDER BY last_seq", tenant)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []audit.Segment
	for rows.Next() {
		s := audit.Segment{Tenant: tenant}
		var since, until, dropped int64
		if err := rows.Scan(&s.First, &s.Seq, &s.Prev, &s.Hash, &since, &until, &s.Note, &dropped); err != nil {
			return nil, err
		}
		s.Since, s.Until, s.Dropped = moment(since), moment(until), moment(dropped)
		all = append(all, s)
	}
	return all, rows.Err()
}

// AuditSeal implements [retain.Store].
func (db *DB) AuditSeal(ctx context.Context, s audit.Segment) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var there int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM audit_segments WHERE tenant = $1 AND last_seq = $2 AND hash = $3 AND first_seq = $4",
			s.Tenant, s.Seq, notNull(s.Hash), s.First).Scan(&there)
		if err != nil || there > 0 { // another replica was faster
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO audit_segments (tenant, first_seq, last_seq, prev, hash, since, until, note, dropped)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
			s.Tenant, s.First, s.Seq, notNull(s.Prev), notNull(s.Hash), millis(s.Since), millis(s.Until), notNull(s.Note))
		return err
	})
}

// AuditDrop implements [retain.Store].
func (db *DB) AuditDrop(ctx context.Context, tenant identity.TenantID, last int64, at time.Time) error {
	for {
		var gone int64
		err := db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE audit_segments SET dropped = $3 WHERE tenant = $1 AND last_seq = $2 AND dropped = 0", tenant, last, millis(at))
			if err != nil {
				return err
			}
			done, err := tx.ExecContext(ctx,
				"DELETE FROM audit WHERE tenant = $1 AND seq IN (SELECT seq FROM audit WHERE tenant = $1 AND seq <= $2 ORDER BY seq LIMIT $3)", tenant, last, dropAtOnce)
			if err != nil {
				return err
			}
			gone, err = done.RowsAffected()
			return err
		})
		if err != nil || gone < dropAtOnce {
			return err
		}
	}
}
