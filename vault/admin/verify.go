package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	verifyTime = 30 * time.Minute
	recordTime = 5 * time.Second
)

// The states of a [Verification].
const (
	Running = "running"
	Intact  = "intact"
	Broken  = "broken"
	Failed  = "failed" // it could not be carried out
	Lost    = "lost"   // its replica ended before it did
)

// Verification is one check of all audit records. It lives in the records
// themselves, so that any replica can tell of it.
type Verification struct {
	ID      string
	State   string
	By      string
	Started time.Time
	Ended   time.Time // zero while it runs
	Detail  string    // what was found
}

type job struct {
	who Actor
	Verification
}

// StartVerification begins a check of all audit records, one at a time on each
// replica; [Desk.Verification] tells what came of it. [Desk.Run] does the work.
func (d *Desk) StartVerification(ctx context.Context, who Actor) (Verification, error) {
	if d.cfg.Verify == nil {
		return Verification{}, usererr.New(usererr.Unavailable, "This vault verifies nothing by itself", "Use: coatcheck-vault audit verify")
	}
	j := job{who, Verification{ID: identity.NewID("v_"), State: Running, By: who.By, Started: time.Now().UTC().Truncate(time.Millisecond)}}
	if len(d.jobs) == cap(d.jobs) {
		return Verification{}, busy()
	}
	if err := d.record(ctx, who, audit.Entry{Event: "audit.verify", Reference: j.ID}); err != nil {
		return Verification{}, err
	}
	select {
	case d.jobs <- j:
		return j.Verification, nil
	default:
		return Verification{}, busy()
	}
}

func busy() error {
	return usererr.New(usererr.Conflict, "The audit records are being verified, and another time is waiting already", "Wait for those to end")
}

// Run does what was started until ctx ends, which also ends what it does.
func (d *Desk) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-d.jobs:
			d.verify(ctx, j)
		}
	}
}

func (d *Desk) verify(ctx context.Context, j job) {
	bounded, cancel := context.WithTimeout(ctx, verifyTime)
	records, err := d.cfg.Verify(bounded)
	cancel()
	e := audit.Entry{Event: "audit.verified", Reference: j.ID, Code: Intact, Detail: fmt.Sprintf("%d records, all intact", records)}
	if err != nil {
		e.Outcome, e.Code, e.Detail = "error", Outcome(err), usererr.Text(err, "")
	}
	e.DurationMillis = time.Since(j.Started).Milliseconds()
	// What was found is on record also if the vault ends now.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	_ = d.record(ctx, j.who, e) // then it counts as lost
}

// Outcome tells what the error of a check says: [Broken] or [Failed].
func Outcome(err error) string {
	if known, ok := usererr.From(err); ok && known.Code == usererr.Internal {
		return Broken
	}
	return Failed
}

// Verification tells of a check that was started on any replica.
func (d *Desk) Verification(ctx context.Context, who Actor, id string) (Verification, error) {
	m := merge{desk: d, query: RecordQuery{Event: "audit"}}
	head, err := d.cfg.Sink.AuditHead(ctx, "")
	if err != nil {
		return Verification{}, err
	}
	m.ends = map[identity.TenantID]int64{"": head.Seq + 1}
	m.ahead = map[identity.TenantID][]audit.Record{}
	v := Verification{ID: id, State: Running}
	for range maxScanned {
		r, ok, err := m.next(ctx)
		if err != nil {
			return Verification{}, err
		}
		if !ok || id == "" {
			break
		}
		m.take(r)
		e, err := r.Entry()
		if err != nil || e.Reference != id {
			continue
		}
		switch e.Event {
		case "audit.verified":
			v.State, v.Ended, v.Detail = e.Code, e.Time, e.Detail
		case "audit.verify":
			v.Started, v.By = e.Time, e.By
			if v.State == Running && time.Since(v.Started) > verifyTime+recordTime {
				v.State = Lost
			}
			return v, d.look(ctx, who, audit.Entry{Objects: []string{"verification " + id}})
		}
	}
	missing := usererr.New(usererr.NotFound, "There is no verification "+id+" among the latest records", "Start one")
	return Verification{}, d.missed(ctx, who, audit.Entry{Objects: []string{"verification " + id}}, missing)
}
