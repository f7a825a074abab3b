package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store/chain"
)

var _ audit.Sink = (*DB)(nil)

const (
	auditHead   = "SELECT seq, hash FROM audit_heads WHERE tenant = $1"
	auditInsert = "INSERT INTO audit (tenant, seq, at, event, body, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)"
	auditMove   = "INSERT INTO audit_heads (tenant, seq, hash) VALUES ($1, $2, $3) ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash"
)

// AuditAppend implements [audit.Sink].
func (db *DB) AuditAppend(ctx context.Context, tenant identity.TenantID, next func(audit.Head) audit.Record) error {
	if db.chains != nil {
		return db.chains.Append(ctx, tenant, next)
	}
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		head, err := scanHead(db.engine.Hot(ctx, tx, auditHead).QueryRowContext(ctx, tenant))
		if err != nil {
			return err
		}
		r := next(head)
		_, err = db.engine.Hot(ctx, tx, auditInsert).ExecContext(ctx, tenant, r.Seq, millis(r.Time), r.Event, notNull(r.Body), notNull(r.Prev), notNull(r.Hash))
		if err != nil {
			return err
		}
		_, err = db.engine.Hot(ctx, tx, auditMove).ExecContext(ctx, tenant, r.Seq, notNull(r.Hash))
		return err
	})
}

// notNull keeps the driver from storing an empty slice as NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func scanHead(row scanner) (audit.Head, error) {
	var head audit.Head
	err := row.Scan(&head.Seq, &head.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Head{}, nil
	}
	return head, err
}

// AuditHead implements [audit.Sink].
func (db *DB) AuditHead(ctx context.Context, tenant identity.TenantID) (audit.Head, error) {
	return scanHead(db.read().QueryRowContext(ctx, auditHead, tenant))
}

// AuditHeads implements [audit.Sink].
func (db *DB) AuditHeads(ctx context.Context) (map[identity.TenantID]audit.Head, error) {
	rows, err := db.read().QueryContext(ctx, "SELECT tenant, seq, hash FROM audit_heads")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := map[identity.TenantID]audit.Head{}
	for rows.Next() {
		var tenant identity.TenantID
		var head audit.Head
		if err := rows.Scan(&tenant, &head.Seq, &head.Hash); err != nil {
			return nil, err
		}
		all[tenant] = head
	}
	return all, rows.Err()
}

// AuditRead implements [audit.Sink].
func (db *DB) AuditRead(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]audit.Record, error) {
	return chain.Read(ctx, db.engine.Each, tenant, after, limit)
}

// AuditTenants implements [audit.Sink]. A chain whose records are gone is one
// of them as long as its end is known, and the other way round.
func (db *DB) AuditTenants(ctx context.Context) ([]identity.TenantID, error) {
	heads, err := db.AuditHeads(ctx)
	if err != nil {
		return nil, err
	}
	// From one to the next in the index: a DISTINCT would read every record.
	const first = "SELECT min(tenant) FROM audit"
	var next sql.Null[identity.TenantID]
	err = db.read().QueryRowContext(ctx, first).Scan(&next)
	for err == nil && next.Valid {
		if _, known := heads[next.V]; !known {
			heads[next.V] = audit.Head{}
		}
		err = db.read().QueryRowContext(ctx, first+" WHERE tenant > $1", next.V).Scan(&next)
	}
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(heads)), nil
}
