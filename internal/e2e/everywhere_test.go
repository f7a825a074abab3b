package e2e_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestSignedOutEverywhere lets a person end all of it from one of two
// computers: the other is signed out too, the grant is gone here and at the
// simulated Atlassian, and somebody else's goes on.
func TestSignedOutEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	laptop, desk := w.laptop("ada"), w.laptop("ada-desk")
	first, second, ben := w.connect(laptop, nil), w.connect(desk, nil), w.connect(w.laptop("ben"), nil)
	w.signIn(first, "ada")
	w.signIn(second, "ada")
	w.signIn(ben, "ben")
	if text, err := call(t.Context(), second, "coatcheck_status", nil); err != nil || strings.Count(text, "Signed in on: ") != 2 || strings.Count(text, "this one") != 1 || !strings.Contains(text, "key in file") {
		t.Errorf("the status says %q, %v", text, err)
	}
	for _, list := range []string{w.vault("devices", "list"), w.vault("sessions", "list", "--json")} {
		if strings.Count(list, "linux") < 3 || strings.Count(list, "file") < 3 {
			t.Errorf("the platform or where the key is is missing: %s", list)
		}
	}
	out, err := laptop.Shim(t.Context(), "logout", "--everywhere").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sessions ended: 2.") {
		t.Fatalf("logout --everywhere: %v %s", err, out)
	}
	if list := w.vault("sessions", "list"); strings.Count(list, " live ") != 1 {
		t.Errorf("the sessions: %s", list)
	}
	// The first sign-in was superseded by the second and stays at Atlassian.
	if live := w.Sim.Grants(); live != 2 {
		t.Errorf("%d grants live at Atlassian, want ben's and the superseded one", live)
	}
	if text, err := call(t.Context(), ben, "confluence_list_spaces", nil); err != nil || !strings.Contains(text, "ENG") {
		t.Errorf("ben got %q, %v", text, err)
	}
	records := w.vault("audit", "list", "--by", "person", "--json")
	for event, want := range map[string]int{"revocation.ordered": 1, "session.revoked": 2, "grant.revoked": 1, "grant.revoked_upstream": 1} {
		if got := strings.Count(records, `"event":"`+event+`"`); got != want {
			t.Errorf("%d records of %s, want %d", got, event, want)
		}
	}
	w.vault("audit", "verify")
}
