package usererr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

func TestTextShowsMessageAndHintButNeverTheCause(t *testing.T) {
	cause := errors.New("CANARY cause")
	err := fmt.Errorf("reading page: %w", usererr.Wrap(cause, usererr.NotFound, "Page 7 does not exist", "Search for it by title"))
	if got, want := usererr.Text(err, "r1"), "Page 7 does not exist. Search for it by title."; got != want {
		t.Errorf("Text = %q, want %q", got, want)
	}
	if got := usererr.CodeOf(err); got != usererr.NotFound {
		t.Errorf("CodeOf = %q", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost to the log")
	}
}

func TestOtherErrorsBecomeInternal(t *testing.T) {
	err := errors.New("CANARY detail")
	for _, reference := range []string{"", "r1"} {
		got := usererr.Text(err, reference)
		if strings.Contains(got, "CANARY") || !strings.Contains(got, reference) {
			t.Errorf("Text = %q", got)
		}
	}
	if usererr.CodeOf(err) != usererr.Internal || usererr.CodeOf(nil) != "" || usererr.Text(nil, "") != "" {
		t.Error("codes of foreign and nil errors are wrong")
	}
}
