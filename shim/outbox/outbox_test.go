package outbox_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/outbox"
)

func message(text string, call bool) *outbox.Message {
	return &outbox.Message{Data: []byte(text), Call: call}
}

func take(b *outbox.Box, calls bool) string {
	return string(bytes.Join(b.Take(nil, calls), []byte(" ")))
}

func TestAVaultThatDrainsGetsNoCalls(t *testing.T) {
	b := outbox.New()
	for _, text := range []string{"call1", "note1", "call2", "note2"} {
		b.Put(message(text, strings.HasPrefix(text, "call")))
	}
	if got := take(b, false); got != "note1 note2" {
		t.Errorf("took %q", got)
	}
	if got := take(b, true); got != "call1 call2" {
		t.Errorf("took %q", got)
	}
	if !b.Empty() {
		t.Error("not empty")
	}
}

func TestWithdraw(t *testing.T) {
	b := outbox.New()
	first, second := message("first", true), message("second", true)
	b.Put(first)
	b.Put(second)
	b.Withdraw(second)
	if got := take(b, true); got != "first" {
		t.Errorf("took %q", got)
	}
	b.Withdraw(first) // too late
	if !b.Resume(0) || take(b, true) != "first" {
		t.Error("what was sent cannot be taken back")
	}
}

func TestResumeAndRestart(t *testing.T) {
	b := outbox.New()
	var all []*outbox.Message
	for i := range 5 {
		all = append(all, message(fmt.Sprint(i), false))
		b.Put(all[i])
	}
	take(b, true)
	if b.Acknowledged(6) || !b.Acknowledged(1) || !b.Acknowledged(1) {
		t.Error("Acknowledged")
	}
	if b.Resume(0) || b.Resume(6) {
		t.Error("resumed at a count that cannot be")
	}
	b.Put(message("new", false))
	if !b.Resume(3) {
		t.Fatal("not resumed")
	}
	if b.Acknowledged(4) {
		t.Error("acknowledged before it was sent again")
	}
	if got := take(b, true); got != "3 4 new" {
		t.Errorf("took %q", got)
	}
	b.Restart(all[:2])
	if got := take(b, true); got != "0 1" {
		t.Errorf("took %q", got)
	}
	if b.Acknowledged(3) || !b.Acknowledged(2) {
		t.Error("the counts did not begin anew")
	}
}

func TestRoom(t *testing.T) {
	b := outbox.New()
	kept := message(strings.Repeat("x", wire.MaxUnacked/2), true)
	b.Use(kept)
	b.Put(kept) // the same bytes, once
	if !b.Fits(wire.MaxUnacked/2-1000) || b.Fits(wire.MaxUnacked/2) {
		t.Error("Fits")
	}
	take(b, true)
	b.Acknowledged(1)
	select {
	case <-b.Freed():
		t.Error("freed though it is in use")
	default:
	}
	b.Release(kept)
	select {
	case <-b.Freed():
	default:
		t.Error("not freed")
	}
	if !b.Fits(wire.MaxUnacked - 1000) {
		t.Error("no room")
	}
}

// TestModel compares the box, under random losses of the link, with a vault
// that must get each message once and in order.
func TestModel(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		b := outbox.New()
		var vault []string
		put := 0
		for range 300 {
			switch random.IntN(5) {
			case 0, 1:
				b.Put(message(fmt.Sprint(put), random.IntN(2) == 0))
				put++
			case 2:
				for _, data := range b.Take(nil, true) {
					vault = append(vault, string(data))
				}
			case 3: // some of what is sent is lost with the link
				frames := b.Take(nil, true)
				for _, data := range frames[:random.IntN(len(frames)+1)] {
					vault = append(vault, string(data))
				}
				if !b.Resume(uint64(len(vault))) {
					t.Fatalf("seed %d: not resumed", seed)
				}
			case 4:
				if !b.Acknowledged(uint64(random.IntN(len(vault) + 1))) {
					t.Fatalf("seed %d: not acknowledged", seed)
				}
			}
		}
		for !b.Empty() {
			for _, data := range b.Take(nil, true) {
				vault = append(vault, string(data))
			}
		}
		var want []string
		for i := range put {
			want = append(want, fmt.Sprint(i))
		}
		if diff := cmp.Diff(want, vault); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}
