package seal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// plainService is a key service that encrypts nothing and binds nothing.
type plainService struct {
	wait  time.Duration
	fails error
}

func (plainService) Name() string { return "plain://key" }

func (s plainService) answer(ctx context.Context, text []byte) ([]byte, error) {
	select {
	case <-time.After(s.wait):
		return append([]byte(nil), text...), s.fails
	case <-ctx.Done():
		return nil, fmt.Errorf("given up: %w", ctx.Err())
	}
}

// Encrypt implements seal.Service.
func (s plainService) Encrypt(ctx context.Context, plain, _ []byte) ([]byte, error) {
	return s.answer(ctx, plain)
}

// Decrypt implements seal.Service.
func (s plainService) Decrypt(ctx context.Context, sealed, _ []byte) ([]byte, error) {
	return s.answer(ctx, sealed)
}

// TestAPlaceIsBoundWhateverTheServiceDoes.
func TestAPlaceIsBoundWhateverTheServiceDoes(t *testing.T) {
	kek := seal.NewServiceKEK(plainService{})
	wrapped, err := kek.Wrap(t.Context(), []byte("key"), place)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := kek.Unwrap(t.Context(), wrapped, place); err != nil || string(got) != "key" {
		t.Errorf("Unwrap = %q, %v", got, err)
	}
	for name, other := range elsewhere() {
		if _, err := kek.Unwrap(t.Context(), wrapped, other); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: %v; want ErrOpen", name, err)
		}
	}
	for n := range wrapped {
		if _, err := kek.Unwrap(t.Context(), wrapped[:n], place); n < len(wrapped)-len("key") && !errors.Is(err, seal.ErrOpen) {
			t.Errorf("cut to %d bytes: %v; want ErrOpen", n, err)
		}
	}
}

// TestASlowServiceIsLeft after five seconds, or with its caller.
func TestASlowServiceIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kek := seal.NewServiceKEK(plainService{wait: time.Hour})
		begun := time.Now()
		_, err := kek.Wrap(t.Context(), []byte("key"), place)
		if trouble, ok := seal.TroubleOf(err); !ok || trouble != seal.NoAnswer || usererr.CodeOf(err) != usererr.Unavailable || time.Since(begun) != 5*time.Second {
			t.Errorf("Wrap = %v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := kek.Wrap(ctx, []byte("key"), place); err != context.DeadlineExceeded {
			t.Errorf("a caller who left: %v", err)
		}
		// Four seconds are slow, but an answer.
		if _, err := seal.NewServiceKEK(plainService{wait: 4 * time.Second}).Wrap(t.Context(), []byte("key"), place); err != nil {
			t.Errorf("slow: %v", err)
		}
	})
}

// TestTroubleSurvivesItsWay to those who decide by it.
func TestTroubleSurvivesItsWay(t *testing.T) {
	for trouble := seal.NoAnswer; trouble <= seal.NoSense; trouble++ {
		kek := seal.NewServiceKEK(plainService{fails: seal.ServiceError("plain://key", trouble, "", errors.New("why"))})
		_, _, err := seal.NewKey(t.Context(), kek, place)
		if got, ok := seal.TroubleOf(err); !ok || got != trouble || usererr.CodeOf(err) != usererr.Unavailable || trouble.String() == "" {
			t.Errorf("%d: %d, %v, %v", trouble, got, ok, err)
		}
	}
	if _, ok := seal.TroubleOf(seal.ErrOpen); ok {
		t.Error("damage is a trouble")
	}
}
