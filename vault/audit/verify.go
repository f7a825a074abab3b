package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// maxBroken is how many broken records of one chain are named.
const maxBroken = 20

// Chain is what Verify found of one tenant's records.
type Chain struct {
	Tenant  identity.TenantID
	Records int64 // that were read
	Broken  int64 // of them; missing stretches count once
	Head    Head  // the last record
}

// BrokenError says which record is wrong, and how.
type BrokenError struct {
	Tenant identity.TenantID // "" is the vault's own chain
	Seq    int64
	What   string
}

// Error implements error.
func (e *BrokenError) Error() string {
	chain := "the vault's own audit chain"
	if e.Tenant != "" {
		chain = fmt.Sprintf("audit chain of tenant %q", e.Tenant)
	}
	return fmt.Sprintf("%s, record %d: %s", chain, e.Seq, e.What)
}

// Verify reads all chains and checks that nothing was changed, removed, added
// or moved. What is wrong comes back as joined [BrokenError]s, at most 20 of a
// chain; another error means that it could not be read to the end.
func (l *Log) Verify(ctx context.Context) ([]Chain, error) {
	tenants, err := l.cfg.Sink.AuditTenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("verifying the audit log: %w", err)
	}
	var chains []Chain
	var wrong []error
	for _, tenant := range tenants {
		walk := walk{chain: Chain{Tenant: tenant}}
		if err := l.walk(ctx, &walk); err != nil {
			return chains, fmt.Errorf("verifying the audit log: %w", err)
		}
		chains, wrong = append(chains, walk.chain), append(wrong, walk.wrong...)
	}
	return chains, errors.Join(wrong...)
}

// walk is one chain being read.
type walk struct {
	chain Chain
	wrong []error
}

func (l *Log) walk(ctx context.Context, w *walk) error {
	// The end first: records that arrive meanwhile come after it.
	end, err := l.cfg.Sink.AuditHead(ctx, w.chain.Tenant)
	if err != nil {
		return err
	}
	for {
		page, err := l.cfg.Sink.AuditRead(ctx, w.chain.Tenant, w.chain.Head.Seq, maxList)
		if err != nil {
			return err
		}
		for _, r := range page {
			w.step(r)
			if r.Seq == end.Seq && !bytes.Equal(r.Hash, end.Hash) {
				w.report(r.Seq, "it is not the record that was stored last")
			}
		}
		if len(page) < maxList {
			break
		}
	}
	if w.chain.Head.Seq < end.Seq {
		w.report(w.chain.Head.Seq+1, fmt.Sprintf("it and what follows is missing, to record %d", end.Seq))
	}
	return nil
}

// step checks one record against the one before it.
func (w *walk) step(r Record) {
	w.chain.Records++
	switch what := w.flaw(r); {
	case r.Seq > w.chain.Head.Seq+1:
		w.report(w.chain.Head.Seq+1, fmt.Sprintf("it is missing, and so is what follows, to record %d", r.Seq-1))
	case what != "":
		w.report(r.Seq, what)
	}
	w.chain.Head = r.Head // go on from what is there, to find what else is wrong
}

func (w *walk) flaw(r Record) string {
	switch e, err := r.Entry(); {
	case !bytes.Equal(r.Hash, r.sum()):
		return "its content does not match its hash"
	case !bytes.Equal(r.Prev, w.chain.Head.Hash):
		return "it does not follow the record before it"
	case err != nil:
		return "it is not readable"
	case e.Tenant != r.Tenant || e.Event != r.Event || !e.Time.Equal(r.Time):
		return "its tenant, event or time is not what was recorded"
	}
	return ""
}

func (w *walk) report(seq int64, what string) {
	if w.chain.Broken++; w.chain.Broken <= maxBroken {
		w.wrong = append(w.wrong, &BrokenError{w.chain.Tenant, seq, what})
	}
}
