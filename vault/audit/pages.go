package audit

import (
	"context"
	"math"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// readers is how many stretches of a chain are read at the same time: to read
// a record takes longer than to check it.
const readers = 3

// stretch is a part of a chain that is being read: the records with numbers
// from after+1 to last.
type stretch struct {
	after, last int64
	records     []Record
	err         error
	done        chan struct{} // closed once records and err are set
}

// Pages calls each with the records of tenant's chain after a number, in their
// order and some at a time, until there are no more or each wants none. What
// comes next is read meanwhile.
func (l *Log) Pages(ctx context.Context, tenant identity.TenantID, after int64, each func([]Record) (more bool, err error)) error {
	end, err := l.cfg.Sink.AuditHead(ctx, tenant)
	if err != nil {
		return err
	}
	if after < 0 { // numbers that no record should have
		more, err := l.sequence(ctx, tenant, after, 0, each)
		if err != nil || !more {
			return err
		}
		after = 0
	}
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	var ahead []*stretch
	for next := after; len(ahead) > 0 || next < end.Seq; {
		for len(ahead) < readers && next < end.Seq {
			s := &stretch{after: next, last: next + min(maxList, math.MaxInt64-next), done: make(chan struct{})}
			next = s.last
			ahead = append(ahead, s)
			reading.Go(func() { // ends with the reading, or with ctx
				defer close(s.done)
				s.records, s.err = l.read(ctx, tenant, s.after, s.last)
			})
		}
		s := ahead[0]
		ahead = ahead[1:]
		<-s.done
		if s.err != nil {
			return s.err
		}
		after = s.last
		if len(s.records) == 0 { // a gap, as wide as it may be
			further, err := l.cfg.Sink.AuditRead(ctx, tenant, after, 1)
			if err != nil || len(further) == 0 {
				return err
			}
			if beyond := further[0].Seq - 1; beyond >= next {
				ahead, next = nil, beyond // of those that are being read nothing comes
			}
			continue
		}
		if more, err := each(s.records); err != nil || !more {
			return err
		}
	}
	// Behind what was the end records arrive, and there may be some that never
	// were appended.
	_, err = l.sequence(ctx, tenant, after, math.MaxInt64, each)
	return err
}

// read returns the records with numbers from after+1 to last, which are no more
// than maxList.
func (l *Log) read(ctx context.Context, tenant identity.TenantID, after, last int64) ([]Record, error) {
	page, err := l.cfg.Sink.AuditRead(ctx, tenant, after, maxList)
	if err != nil {
		return nil, err
	}
	for len(page) > 0 && page[len(page)-1].Seq > last {
		page = page[:len(page)-1]
	}
	return page, nil
}

// sequence reads one page after the other, to number last.
func (l *Log) sequence(ctx context.Context, tenant identity.TenantID, after, last int64, each func([]Record) (more bool, err error)) (more bool, err error) {
	for {
		page, err := l.read(ctx, tenant, after, last)
		if err != nil || len(page) == 0 {
			return true, err
		}
		if more, err := each(page); err != nil || !more {
			return false, err
		}
		after = page[len(page)-1].Seq
		if len(page) < maxList || after == last {
			return true, nil
		}
	}
}
