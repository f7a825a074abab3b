package retain

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/export"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	folder = "segments/"
	// maxLine bounds a line: a record has 80 KB at most, more once escaped.
	maxLine = 1 << 20
	maxNote = 4 << 10
)

// stem begins the names of the objects of a segment.
func stem(s audit.Segment) string {
	chain := "_vault" // no tenant begins so
	if s.Tenant != "" {
		chain = url.PathEscape(string(s.Tenant))
	}
	return fmt.Sprintf("%s%s/%019d-%019d", folder, chain, s.First, s.Seq)
}

// export writes the records of s, and then its note, which says that they are
// whole. It returns the name of the records.
func (k *Keeper) export(ctx context.Context, s audit.Segment) (string, error) {
	tries, err := tried(ctx, k.cfg.Objects, s)
	if err != nil {
		return "", err
	}
	for _, try := range tries {
		name := fmt.Sprintf("%s.%d", stem(s), try)
		if done, err := k.settle(ctx, name, s); err != nil || done {
			return name + ".jsonl", err
		}
	}
	next := 0
	if len(tries) > 0 {
		next = tries[len(tries)-1] + 1
	}
	for ; ; next++ { // until another replica is not faster
		name := fmt.Sprintf("%s.%d", stem(s), next)
		made := k.cfg.Objects.Create(ctx, name+".jsonl", func(w io.Writer) error {
			_, err := export.Write(ctx, k.cfg.Log, w, export.Options{Format: export.JSONLines, Tenants: []identity.TenantID{s.Tenant}, After: s.First - 1, Last: s.Seq})
			return err
		})
		if made != nil && !errors.Is(made, objects.ErrExists) {
			return "", made
		}
		done, err := k.settle(ctx, name, s)
		if err == nil && !done && made == nil {
			err = errors.New("what was written is not what can be read")
		}
		if err != nil || done {
			return name + ".jsonl", err
		}
	}
}

// tried are the numbers of the objects that there are of s, in order: of one
// that was interrupted a part may stay for ever.
func tried(ctx context.Context, store objects.Store, s audit.Segment) ([]int, error) {
	names, err := store.Names(ctx, path.Dir(stem(s))+"/")
	if err != nil {
		return nil, err
	}
	var all []int
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, stem(s)+".")
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); ours && err == nil && n >= 0 && n < math.MaxInt32 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// settle writes the note of an object, whoever wrote that, if it reads as the
// whole segment: only then it counts.
func (k *Keeper) settle(ctx context.Context, name string, s audit.Segment) (done bool, err error) {
	if _, err := read(ctx, k.cfg.Objects, name+".jsonl", s); err != nil {
		return false, ctx.Err()
	}
	err = k.cfg.Objects.Create(ctx, name+".note", func(w io.Writer) error {
		_, err := w.Write(s.Note)
		return err
	})
	if !errors.Is(err, objects.ErrExists) {
		return err == nil, err
	}
	opened, err := readNote(ctx, k.cfg.Objects, name+".note", k.cfg.Key.Verifier())
	return err == nil && bytes.Equal(opened.Hash, s.Hash), ctx.Err()
}

// Archived is what [VerifyArchive] found.
type Archived struct {
	Segments int
	Records  int64
	// Torn objects are parts that a crash left; a whole one is beside each.
	Torn int
}

// VerifyArchive checks all segments that were exported: that their notes were
// signed by the key with the verifier key vkey, that their records are those
// that were sealed, and that none is missing between the first and the last of
// each chain. [audit.BrokenError] says what is wrong.
func VerifyArchive(ctx context.Context, store objects.Store, vkey string) (found Archived, err error) {
	chains, err := store.Names(ctx, folder)
	if err != nil {
		return found, err
	}
	var wrong []error
	for _, chain := range chains {
		names, err := store.Names(ctx, chain)
		if err != nil {
			return found, err
		}
		var last audit.Segment
		for _, name := range names {
			if !strings.HasSuffix(name, ".note") {
				continue
			}
			s, err := readNote(ctx, store, name, vkey)
			if errors.Is(err, errTorn) {
				found.Torn++
				continue
			} else if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
				continue
			}
			if !strings.HasPrefix(name, stem(s)+".") {
				wrong = append(wrong, fmt.Errorf("%s: it is the note of another segment, %d-%d of tenant %q", name, s.First, s.Seq, s.Tenant))
				continue
			}
			if last.Seq > 0 && s.Seq != last.Seq && (s.First != last.Seq+1 || !bytes.Equal(s.Prev, last.Hash)) {
				wrong = append(wrong, &audit.BrokenError{Tenant: s.Tenant, Seq: last.Seq + 1, What: fmt.Sprintf("the segment before %d-%d is missing or does not fit", s.First, s.Seq)})
			}
			last = s
			n, err := read(ctx, store, strings.TrimSuffix(name, ".note")+".jsonl", s)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
				continue
			}
			found.Segments, found.Records = found.Segments+1, found.Records+n
		}
	}
	return found, errors.Join(wrong...)
}

// maxMissing is how many missing segments of one chain are named.
const maxMissing = 20

// Complete checks that the archive has the segments of a chain that were
// dropped, as the store knows them: from the first on that it has, or from the
// one that begins with record from, if records say that this was exported (see
// [Exported]; 0 for none). What was dropped before there was an archive is not
// missed. Joined [audit.BrokenError]s name what is missing.
func Complete(ctx context.Context, store objects.Store, vkey string, segments []audit.Segment, from int64) error {
	if len(segments) == 0 {
		return nil
	}
	names, err := store.Names(ctx, path.Dir(stem(segments[0]))+"/")
	if err != nil {
		return err
	}
	there := map[int64]int64{} // the first and the last record of each that is
	for _, name := range names {
		if !strings.HasSuffix(name, ".note") {
			continue
		}
		s, err := readNote(ctx, store, name, vkey)
		if err != nil || !strings.HasPrefix(name, stem(s)+".") {
			continue // which VerifyArchive tells
		}
		if there[s.First] = s.Seq; from == 0 || s.First < from {
			from = s.First
		}
	}
	var wrong []error
	for _, s := range segments {
		if s.Dropped.IsZero() || from == 0 || s.First < from || there[s.First] == s.Seq {
			continue
		}
		if wrong = append(wrong, &audit.BrokenError{Tenant: s.Tenant, Seq: s.First, What: fmt.Sprintf("the segment to record %d was dropped and is missing in the archive", s.Seq)}); len(wrong) == maxMissing {
			break
		}
	}
	return errors.Join(wrong...)
}

// Exported tells the first record of the segment of which r says that it was
// exported and dropped; 0 if it says no such thing. The last record that says
// so of a chain is always there: what drops it leaves another.
func Exported(r *audit.Record) (first int64) {
	if r.Event != dropped {
		return 0
	}
	e, err := r.Entry()
	if err != nil || e.Detail == "" || len(e.Objects) != 1 {
		return 0
	}
	if _, err := fmt.Sscanf(e.Objects[0], stretch, &first, new(int64)); err != nil {
		return 0
	}
	return first
}

// errTorn is half a note, as a crash leaves it.
var errTorn = errors.New("half a note")

func readNote(ctx context.Context, store objects.Store, name, vkey string) (audit.Segment, error) {
	text, err := objects.Read(ctx, store, name, maxNote+1)
	if err != nil {
		return audit.Segment{}, err
	}
	s, err := audit.OpenSegment(text, vkey)
	if errors.Is(err, audit.ErrSegment) && !bytes.Contains(text, []byte("\n\n— ")) {
		return s, errTorn
	}
	return s, err
}

// read checks that an object has exactly the records of s, and counts them.
func read(ctx context.Context, store objects.Store, name string, s audit.Segment) (int64, error) {
	r, err := store.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // only read
	return Check(r, s)
}

// Check checks that JSON Lines have exactly the records of s, and counts them.
// An [audit.BrokenError] names the first that is wrong.
func Check(lines io.Reader, s audit.Segment) (int64, error) {
	scan := bufio.NewScanner(lines)
	scan.Buffer(nil, maxLine)
	end := audit.Head{Seq: s.First - 1, Hash: s.Prev}
	broken := func(what string) error { return &audit.BrokenError{Tenant: s.Tenant, Seq: end.Seq + 1, What: what} }
	for scan.Scan() {
		r, err := parse(scan.Bytes())
		switch {
		case err != nil:
			return 0, broken("it is not readable")
		case r.Tenant != s.Tenant || r.Seq != end.Seq+1 || r.Seq > s.Seq:
			return 0, broken("another record is in its place")
		}
		if what := r.Flaw(end.Hash); what != "" {
			return 0, broken(what)
		}
		end = r.Head
	}
	switch err := scan.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return 0, broken("it is too long")
	case err != nil:
		return 0, err
	case end.Seq != s.Seq:
		return 0, broken(fmt.Sprintf("it and what follows is missing, to record %d", s.Seq))
	case !bytes.Equal(end.Hash, s.Hash):
		return 0, &audit.BrokenError{Tenant: s.Tenant, Seq: s.Seq, What: "it is not the record that was sealed"}
	}
	return s.Seq - s.First + 1, nil
}

// parse reads a line as export.Write writes it.
func parse(line []byte) (r audit.Record, err error) {
	var e struct {
		Tenant identity.TenantID `json:"tenant"`
		Seq    int64             `json:"seq"`
		Time   time.Time         `json:"time"`
		Event  string            `json:"event"`
		Prev   string            `json:"prev"`
		Hash   string            `json:"hash"`
		Body   string            `json:"body"`
		Bytes  []byte            `json:"body_base64"`
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return r, err
	}
	r = audit.Record{Tenant: e.Tenant, Time: e.Time, Event: e.Event, Body: []byte(e.Body)}
	if e.Bytes != nil {
		r.Body = e.Bytes
	}
	r.Seq = e.Seq
	if r.Prev, err = hex.DecodeString(e.Prev); err == nil {
		r.Hash, err = hex.DecodeString(e.Hash)
	}
	return r, err
}
