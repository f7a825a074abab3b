package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/flat"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// maxBroken is how many broken records of one chain are named.
const maxBroken = 20

// Chain is what Verify found of one tenant's records.
type Chain struct {
	Tenant  identity.TenantID
	Records int64 // that were read
	Dropped int64 // that were before them, in sealed segments
	Broken  int64 // of them; missing stretches count once
	Head    Head  // the last record
	// Signed is the last record that a checkpoint confirms, 0 for none.
	Signed int64
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
// or moved. Whoever can write the whole database can also make a chain that is
// sound in itself: only checkpoints that were kept elsewhere tell it from the
// one that was there. What is wrong comes back as joined [BrokenError]s, at
// most 20 of a chain; another error means that it could not be read to the end.
func (l *Log) Verify(ctx context.Context, signed ...Checkpoint) ([]Chain, error) {
	return l.VerifyWith(ctx, Proof{Signed: signed})
}

// Proof is what chains are held against.
type Proof struct {
	Signed []Checkpoint
	// Key returns the verifier key of sealed segments; it is asked only if
	// there are some.
	Key func(context.Context) (vkey string, err error)
	// Each gets every record that is read, in the order of its chain. Optional.
	Each func(*Record)
}

// VerifyWith is Verify for chains that may have lost their begin: they may
// begin behind the end of a segment that the vault sealed and dropped.
func (l *Log) VerifyWith(ctx context.Context, proof Proof) ([]Chain, error) {
	tenants, err := l.cfg.Sink.AuditTenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("verifying the audit log: %w", err)
	}
	byTenant := map[identity.TenantID][]Checkpoint{}
	for _, c := range proof.Signed {
		byTenant[c.Tenant] = append(byTenant[c.Tenant], c)
		if !slices.Contains(tenants, c.Tenant) {
			tenants = append(tenants, c.Tenant) // all of it is gone
		}
	}
	var chains []Chain
	var wrong []error
	for _, tenant := range tenants {
		w := walk{chain: Chain{Tenant: tenant}}
		ends, err := l.segments(ctx, &w, proof)
		if err != nil {
			return chains, fmt.Errorf("verifying the audit log: %w", err)
		}
		list := append(byTenant[tenant], ends...)
		slices.SortStableFunc(list, bySeq)
		w.signed = list
		if err := l.walkAll(ctx, &w, proof); err != nil {
			return chains, fmt.Errorf("verifying the audit log: %w", err)
		}
		chains, wrong = append(chains, w.chain), append(wrong, w.wrong...)
	}
	return chains, errors.Join(wrong...)
}

// walk is one chain being read.
type walk struct {
	chain     Chain
	wrong     []error
	signed    []Checkpoint // that are still ahead, in order
	rewritten bool         // the last checkpoint did not fit
	floor     Head         // the end of the last segment that was dropped
	check     checker
}

// segments checks the sealed segments of a chain, notes where it may begin, and
// returns their ends, which are as good as checkpoints.
func (l *Log) segments(ctx context.Context, w *walk, proof Proof) ([]Checkpoint, error) {
	list, err := l.sealed(ctx, w.chain.Tenant, proof)
	if broken, ok := errors.AsType[*BrokenError](err); ok {
		w.report(broken.Seq, broken.What)
	} else if err != nil {
		return nil, err
	}
	return w.take(list), nil
}

// sealed reads the segments of a chain. With a [BrokenError] come those before
// the first that is wrong.
func (l *Log) sealed(ctx context.Context, tenant identity.TenantID, proof Proof) ([]Segment, error) {
	list, err := l.cfg.Sink.AuditSegments(ctx, tenant)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if proof.Key == nil {
		return nil, errors.New("there are sealed segments and no key to check them with")
	}
	vkey, err := proof.Key(ctx)
	if err != nil {
		return nil, err
	}
	return sound(list, vkey)
}

// take notes where a chain with these segments may begin, and returns their
// ends.
func (w *walk) take(list []Segment) []Checkpoint {
	var ends []Checkpoint
	for _, s := range list {
		ends = append(ends, Checkpoint{Tenant: s.Tenant, Head: s.Head, Name: fmt.Sprintf("seal of segment %d-%d", s.First, s.Seq)})
		if !s.Dropped.IsZero() {
			w.floor = s.Head
		}
	}
	return ends
}

// begin takes the end of what was dropped for what came before r, the first
// record that is there. Part of the last segment may still be there: dropping
// it was interrupted.
func (w *walk) begin(r *Record) {
	before := w.chain.Head.Seq
	switch {
	case w.floor.Seq <= before || r.Seq <= before+1:
		return
	case r.Seq <= w.floor.Seq:
		w.chain.Head = Head{r.Seq - 1, r.Prev}
	default:
		w.chain.Head, w.chain.Signed = w.floor, w.floor.Seq
	}
	w.chain.Dropped += w.chain.Head.Seq - before
}

// overtaken looks whether another replica has dropped what is missing before r
// since the segments were read, and takes that for the begin if so. Once enough
// is broken it looks no more.
func (l *Log) overtaken(ctx context.Context, w *walk, r *Record, proof Proof) error {
	if w.chain.Broken > maxBroken {
		return nil
	}
	// Records go from the begin: what came before the gap is gone by now too.
	first, err := l.cfg.Sink.AuditRead(ctx, w.chain.Tenant, math.MinInt64, 1)
	if err != nil || len(first) == 0 || first[0].Seq <= w.chain.Head.Seq {
		return err
	}
	list, err := l.sealed(ctx, w.chain.Tenant, proof)
	if _, broken := errors.AsType[*BrokenError](err); err != nil && !broken {
		return err
	}
	for _, end := range w.take(list) {
		if end.Seq >= r.Seq { // a seal that is there twice is compared twice
			w.signed = append(w.signed, end)
		}
	}
	slices.SortStableFunc(w.signed, bySeq)
	if w.floor.Seq >= r.Seq-1 {
		w.begin(r)
	}
	return nil
}

func bySeq(a, b Checkpoint) int { return cmp.Compare(a.Seq, b.Seq) }

func (l *Log) walkAll(ctx context.Context, w *walk, proof Proof) error {
	// The end first: records that arrive meanwhile come after it.
	end, err := l.cfg.Sink.AuditHead(ctx, w.chain.Tenant)
	if err != nil {
		return err
	}
	err = l.Pages(ctx, w.chain.Tenant, math.MinInt64, func(page []Record) (bool, error) {
		for i := range page {
			if w.first(&page[i]); page[i].Seq > w.chain.Head.Seq+1 {
				if err := l.overtaken(ctx, w, &page[i], proof); err != nil {
					return false, err
				}
			}
			w.step(&page[i])
			if proof.Each != nil {
				proof.Each(&page[i])
			}
			if page[i].Seq == end.Seq && !bytes.Equal(page[i].Hash, end.Hash) {
				w.report(end.Seq, "it is not the record that was stored last")
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	last, known := end.Seq, ""
	if n := len(w.signed); n > 0 && w.signed[n-1].Seq > last {
		last, known = w.signed[n-1].Seq, fmt.Sprintf(", which the %s signed", w.signed[n-1].where())
	}
	if w.chain.Records == 0 {
		w.begin(&Record{Head: Head{Seq: math.MaxInt64}})
	}
	if w.chain.Head.Seq < last {
		w.report(w.chain.Head.Seq+1, fmt.Sprintf("it and what follows is missing, to record %d%s", last, known))
	}
	return nil
}

// first finds what comes before r, the next record, if it is the first.
func (w *walk) first(r *Record) {
	if w.chain.Records++; w.chain.Records == 1 {
		w.begin(r)
	}
}

// step checks one record against the one before it.
func (w *walk) step(r *Record) {
	switch what := w.check.flaw(r, w.chain.Head.Hash); {
	case r.Seq > w.chain.Head.Seq+1:
		w.report(w.chain.Head.Seq+1, fmt.Sprintf("it is missing, and so is what follows, to record %d", r.Seq-1))
	case what != "":
		w.report(r.Seq, what)
	}
	w.compare(r)
	w.chain.Head = r.Head // go on from what is there, to find what else is wrong
}

// compare holds r against the checkpoints. What follows one that does not fit
// does not fit either and is not reported again.
func (w *walk) compare(r *Record) {
	for len(w.signed) > 0 && w.signed[0].Seq <= r.Seq {
		c := w.signed[0]
		w.signed = w.signed[1:]
		switch {
		case c.Seq < r.Seq: // missing, which is reported
		case bytes.Equal(c.Hash, r.Hash):
			w.chain.Signed, w.rewritten = c.Seq, false
		case !w.rewritten:
			w.rewritten = true
			w.report(r.Seq, fmt.Sprintf("it is not the record that the %s signed: something was changed from record %d on", c.where(), w.chain.Signed+1))
		}
	}
}

func (w *walk) report(seq int64, what string) {
	if w.chain.Broken++; w.chain.Broken <= maxBroken {
		w.wrong = append(w.wrong, &BrokenError{w.chain.Tenant, seq, what})
	}
}

// checker checks records one after the other in the same memory.
type checker struct{ form, start []byte }

// flaw says what is wrong with r as the record after the one with hash prev.
func (c *checker) flaw(r *Record, prev []byte) string {
	c.form = r.appendForm(c.form[:0])
	switch sum := sha256.Sum256(c.form); {
	case r.Seq < 1:
		return "a chain begins with record 1"
	case !bytes.Equal(r.Hash, sum[:]):
		return "its content does not match its hash"
	case !bytes.Equal(r.Prev, prev):
		return "it does not follow the record before it"
	case c.plain(r):
		return ""
	}
	switch e, err := r.Entry(); {
	case err != nil:
		return "it is not readable"
	case e.Tenant != r.Tenant || e.Event != r.Event || !e.Time.Equal(r.Time):
		return "its tenant, event or time is not what was recorded"
	}
	return ""
}

// plain reports whether r's body begins in the way that nearly all do, with
// the time, event and tenant of r: decoding it would take ten times as long.
func (c *checker) plain(r *Record) bool {
	c.start = append(c.start[:0], `{"time":"`...)
	c.start = r.Time.UTC().AppendFormat(c.start, time.RFC3339Nano)
	c.start = append(c.start, `","event":"`...)
	c.start = append(c.start, r.Event...)
	c.start = append(c.start, `","outcome":"`...)
	rest, ok := bytes.CutPrefix(r.Body, c.start)
	if !ok || !simple(r.Event) || !simple(string(r.Tenant)) {
		return false
	}
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return false
	}
	c.start = append(c.start[:0], `","tenant":`...)
	if r.Tenant == "" {
		return !bytes.HasPrefix(rest[end:], c.start) && flat.Valid(r.Body)
	}
	c.start = append(append(append(c.start, '"'), r.Tenant...), '"')
	return bytes.HasPrefix(rest[end:], c.start) && flat.Valid(r.Body)
}

// simple reports whether text stands in JSON as it is.
func simple(text string) bool {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}
