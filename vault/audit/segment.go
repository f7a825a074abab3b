package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// segmentOrigin is apart from that of checkpoints, so that neither passes for
// the other.
const segmentOrigin = keyName + "/audit-segment"

// Segment is a stretch of a chain that the vault sealed. Once it is dropped,
// what follows it begins behind its end.
type Segment struct {
	Tenant       identity.TenantID
	First        int64
	Prev         []byte // hash of the record before the first
	Head                // the last record
	Since, Until time.Time
	Note         []byte    // all of this, signed
	Dropped      time.Time // zero while its records are there
}

// ErrSegment says that a segment is not one that the vault sealed.
var ErrSegment = errors.New("it is not a segment that this vault's key signed")

// SignSegment returns s with its note, a C2SP signed note.
func (k *Key) SignSegment(s Segment) (Segment, error) {
	signed, err := note.Sign(&note.Note{Text: s.text()}, signer{k})
	if err != nil {
		return Segment{}, fmt.Errorf("signing an audit segment of tenant %q: %w", s.Tenant, err)
	}
	s.Note = signed
	return s, nil
}

func (s *Segment) text() string {
	return strings.Join([]string{
		segmentOrigin + strings.TrimPrefix(originOf(s.Tenant), origin), strconv.FormatInt(s.First, 10), strconv.FormatInt(s.Seq, 10),
		base64.StdEncoding.EncodeToString(s.Prev), base64.StdEncoding.EncodeToString(s.Hash),
		strconv.FormatInt(s.Since.UnixMilli(), 10), strconv.FormatInt(s.Until.UnixMilli(), 10), "",
	}, "\n")
}

// OpenSegment reads a note and checks that it was signed by the key with the
// verifier key vkey. Else it is an [ErrSegment].
func OpenSegment(text []byte, vkey string) (Segment, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return Segment{}, &CheckpointError{What: "the verifier key is not one: it looks like " + keyName + "+1234abcd+AVmX…"}
	}
	if len(text) > maxNote {
		return Segment{}, ErrSegment
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return Segment{}, ErrSegment
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 8 {
		return Segment{}, ErrSegment
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(lines[i], 10, 64) // that it is the same text again is checked below
		return n
	}
	name, _ := url.PathUnescape(strings.TrimPrefix(strings.TrimPrefix(lines[0], segmentOrigin), "/"))
	s := Segment{
		Tenant: identity.TenantID(name), First: number(1), Head: Head{Seq: number(2)},
		Since: time.UnixMilli(number(5)).UTC(), Until: time.UnixMilli(number(6)).UTC(), Note: bytes.Clone(text),
	}
	s.Prev, _ = base64.StdEncoding.DecodeString(lines[3])
	s.Hash, _ = base64.StdEncoding.DecodeString(lines[4])
	if s.text() != opened.Text || s.First < 1 || s.Seq < s.First {
		return Segment{}, ErrSegment
	}
	return s, nil
}

// sound checks the segments of a chain, which must follow each other from its
// begin on, and returns those before the first that is wrong.
func sound(list []Segment, vkey string) ([]Segment, error) {
	end := Head{}
	for i := range list {
		s := &list[i]
		opened, err := OpenSegment(s.Note, vkey)
		if wrong, ok := errors.AsType[*CheckpointError](err); ok {
			return nil, wrong
		}
		if err != nil || opened.text() != s.text() || s.First != end.Seq+1 || !bytes.Equal(s.Prev, end.Hash) {
			return list[:i], &BrokenError{s.Tenant, s.First, fmt.Sprintf("the segment to record %d is not one that this vault's key signed", s.Seq)}
		}
		end = s.Head
	}
	return list, nil
}

// Flaw says what is wrong with r as the record after the one with hash prev,
// "" for nothing.
func (r *Record) Flaw(prev []byte) string { return new(checker).flaw(r, prev) }
