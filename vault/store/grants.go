package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

var (
	_ grant.Store        = (*DB)(nil)
	_ grant.RefreshStore = (*DB)(nil)
)

const (
	// grantColumns is everything of a grant, in the order of scanRow.
	grantColumns = rows.Grant + ", version, data_key, access, refresh, claim, claim_until, intent_at"
	grantFind    = "SELECT " + grantColumns + " FROM grants WHERE person = $1 AND tenant = $2 AND state IN ('live', 'sign_in_again')"
)

// GrantPut implements [grant.Store]. Superseding a live grant moves the epoch:
// what other replicas remember of it must not outlive it.
func (db *DB) GrantPut(ctx context.Context, r grant.Row) (superseded identity.GrantID, err error) {
	scopes, sites, err := grantTexts(r.Grant)
	if err != nil {
		return "", err
	}
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		superseded, err = supersede(ctx, tx, r)
		if err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO grants ("+grantColumns+
			") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
			r.ID, r.Person, r.Tenant, r.State, r.Account, scopes, sites, millis(r.Issued), millis(r.Refreshed), millis(r.Used),
			millis(r.TokenExpires), millis(r.Expires), millis(r.NextRefresh), millis(r.Ended), r.LastError,
			r.Version, r.Key, r.Access, r.Refresh, r.Claim, millis(r.ClaimUntil), millis(r.IntentAt))
		return err
	})
	if superseded != "" {
		db.engine.Scrub() // whatever err is: the write may be done all the same
	}
	return superseded, err
}

// supersede ends the grant that r takes the place of, and drops its keys.
func supersede(ctx context.Context, tx *sql.Tx, r grant.Row) (identity.GrantID, error) {
	before, err := scanRow(tx.QueryRowContext(ctx, grantFind, r.Person, r.Tenant))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	if err := endGrant(ctx, tx, before.ID, grant.Superseded, r.Issued); err != nil {
		return "", err
	}
	if before.State == grant.Live {
		return before.ID, bumpEpoch(ctx, tx)
	}
	return before.ID, nil
}

// endGrant turns a grant into a tombstone: no key, no tokens, no claim. The
// time of the first end stands.
func endGrant(ctx context.Context, tx *sql.Tx, id identity.GrantID, state grant.State, at time.Time) error {
	result, err := tx.ExecContext(ctx, `UPDATE grants SET state = $2, ended = CASE WHEN ended = 0 THEN $3 ELSE ended END,
		data_key = NULL, access = NULL, refresh = NULL, claim = '', claim_until = 0, intent_at = 0, next_refresh = 0 WHERE id = $1`, id, state, millis(at))
	return oneGrant(result, err, grant.ErrNone)
}

// oneGrant turns "no row was changed" into none.
func oneGrant(result sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return none
	}
	return err
}

// GrantFind implements [grant.Store].
func (db *DB) GrantFind(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Row, error) {
	return foundGrant(scanRow(db.read().QueryRowContext(ctx, grantFind, person, tenant)))
}

// GrantGet implements [grant.Store].
func (db *DB) GrantGet(ctx context.Context, id identity.GrantID) (grant.Row, error) {
	return foundGrant(scanRow(db.read().QueryRowContext(ctx, "SELECT "+grantColumns+" FROM grants WHERE id = $1", id)))
}

func foundGrant(r grant.Row, err error) (grant.Row, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return grant.Row{}, grant.ErrNone
	}
	return r, err
}

// GrantList implements [grant.Store]: the latest first.
func (db *DB) GrantList(ctx context.Context) ([]grant.Grant, error) {
	found, err := db.read().QueryContext(ctx, "SELECT "+rows.Grant+" FROM grants ORDER BY issued DESC, id")
	if err != nil {
		return nil, err
	}
	return rows.All(found, func(row rows.Scanner) (grant.Grant, error) { return rows.ScanGrant(row) })
}

// GrantRevoke implements [grant.Store].
func (db *DB) GrantRevoke(ctx context.Context, id identity.GrantID, at time.Time) error {
	err := db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := endGrant(ctx, tx, id, grant.Revoked, at); err != nil {
			return err
		}
		return bumpEpoch(ctx, tx)
	})
	db.engine.Scrub() // whatever err is: the write may be done all the same
	return err
}

// GrantUsed implements [grant.Store]. It never moves the time back.
func (db *DB) GrantUsed(ctx context.Context, id identity.GrantID, at time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE grants SET used = CASE WHEN used < $2 THEN $2 ELSE used END WHERE id = $1", id, millis(at))
		return oneGrant(result, err, grant.ErrNone)
	})
}

// GrantClaim implements [grant.RefreshStore]. Claim and intent are one
// statement, so that there is never one without the other.
func (db *DB) GrantClaim(ctx context.Context, c grant.Claim) (claimed grant.Row, err error) {
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		claimed, err = scanRow(tx.QueryRowContext(ctx, `UPDATE grants
			SET claim = $3, claim_until = $5, intent_at = CASE WHEN intent_at = 0 THEN $4 ELSE intent_at END
			WHERE id = $1 AND version = $2 AND state = 'live' AND (claim = '' OR claim_until <= $4)
			RETURNING `+grantColumns, c.Grant, c.Version, c.By, millis(c.At), millis(c.Until)))
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		now, err := foundGrant(scanRow(tx.QueryRowContext(ctx, "SELECT "+grantColumns+" FROM grants WHERE id = $1", c.Grant)))
		if err != nil {
			return err
		}
		if now.Version != c.Version || now.State != grant.Live {
			return grant.ErrFenced
		}
		return grant.ErrBusy
	})
	return claimed, err
}

// GrantRefreshed implements [grant.RefreshStore]. Whether the claim's time is
// over does not matter as long as nobody else took it.
func (db *DB) GrantRefreshed(ctx context.Context, r grant.Row, claim string) error {
	scopes, sites, err := grantTexts(r.Grant)
	if err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE grants SET version = version + 1, access = $4, refresh = $5, scopes = $6, sites = $7,
			refreshed = $8, token_expires = $9, expires = $10, next_refresh = $11, last_error = '', claim = '', claim_until = 0, intent_at = 0
			WHERE id = $1 AND version = $2 AND claim = $3 AND state = 'live'`,
			r.ID, r.Version, claim, r.Access, r.Refresh, scopes, sites,
			millis(r.Refreshed), millis(r.TokenExpires), millis(r.Expires), millis(r.NextRefresh))
		return oneGrant(result, err, grant.ErrFenced)
	})
}

// GrantFailed implements [grant.RefreshStore].
func (db *DB) GrantFailed(ctx context.Context, id identity.GrantID, claim string, state grant.State, lastError string) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE grants SET state = $3, last_error = $4, claim = '', claim_until = 0
			WHERE id = $1 AND claim = $2 AND state = 'live'`, id, claim, state, lastError)
		return oneGrant(result, err, grant.ErrFenced)
	})
}

// grantTexts are the columns that hold JSON.
func grantTexts(g grant.Grant) (scopes, sites string, err error) {
	a, err := json.Marshal(g.Scopes)
	if err != nil {
		return "", "", fmt.Errorf("storing a grant's scopes: %w", err)
	}
	b, err := json.Marshal(g.Sites)
	if err != nil {
		return "", "", fmt.Errorf("storing a grant's sites: %w", err)
	}
	return string(a), string(b), nil
}

func scanRow(row rows.Scanner) (grant.Row, error) {
	var r grant.Row
	var until, intent int64
	g, err := rows.ScanGrant(row, &r.Version, &r.Key, &r.Access, &r.Refresh, &r.Claim, &until, &intent)
	if err != nil {
		return grant.Row{}, err
	}
	r.Grant, r.ClaimUntil, r.IntentAt = g, moment(until), moment(intent)
	return r, nil
}
