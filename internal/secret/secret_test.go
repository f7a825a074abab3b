package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

func TestNothingPrintsTheText(t *testing.T) {
	const text = "CANARY-secret"
	s := secret.New(text)
	holder := struct {
		S secret.String
		P *secret.String
	}{s, &s}

	var out bytes.Buffer
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb+verb+verb, s, holder, &holder)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "s", s, "holder", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "s", s, "holder", holder)
	if err := json.NewEncoder(&out).Encode(map[string]any{"a": s, "b": holder}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(&out, fmt.Errorf("wrapped: %w, %v", fmt.Errorf("inner %s", s), s))

	got := out.String()
	if strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) {
		t.Errorf("the text was printed: %s", got)
	}
	if !strings.Contains(got, secret.Redacted) {
		t.Errorf("nothing says %s: %s", secret.Redacted, got)
	}
	if s.Reveal() != text {
		t.Errorf("Reveal() = %q, want %q", s.Reveal(), text)
	}
}

func TestEqual(t *testing.T) {
	if !secret.New("a").Equal(secret.New("a")) || secret.New("a").Equal(secret.New("b")) || secret.New("a").Equal(secret.New("aa")) {
		t.Error("Equal does not compare texts")
	}
	if !(secret.String{}).Empty() || secret.New("a").Empty() {
		t.Error("Empty is wrong")
	}
}
