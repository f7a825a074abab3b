package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestProgressBothWays: what a call tells of itself comes before its answer, in
// order, whichever way the call goes.
func TestProgressBothWays(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "ada")
	s.connect()
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}`)
	s.next()
	call := strings.Replace(toolCall("5", "steps", `{"text":"t"}`), `"name"`, `"_meta":{"progressToken":"p"},"name"`, 1)
	for name, call := range map[string]string{"direct": call, "roundabout": roundabout(call)} {
		t.Run(name, func(t *testing.T) {
			s.send(call)
			var got []string
			for {
				m := s.next()
				if m.Method == "" {
					got = append(got, m.text())
					break
				}
				got = append(got, told(t, m.Params))
			}
			want := []string{"log 1", "p 1 of 3: step 1", "log 2", "p 2 of 3: step 2", "log 3", "p 3 of 3: step 3", "t"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoProgressAfterTheEnd cancels a call that tells how far it is.
func TestNoProgressAfterTheEnd(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "ada")
	s.connect()
	s.initialize()
	call := strings.Replace(toolCall(`"a"`, "steps", `{"text":"t"}`), `"name"`, `"_meta":{"progressToken":7},"name"`, 1)
	for name, call := range map[string]string{"direct": call, "roundabout": roundabout(call)} {
		t.Run(name, func(t *testing.T) {
			s.send(call)
			if m := s.next(); told(t, m.Params) != "7 1 of 3: step 1" {
				t.Fatalf("heard %+v", m)
			}
			s.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
			if a := s.next(); string(a.ID) != `"a"` || a.Error == nil && !a.Result.IsError {
				t.Errorf("the answer is %+v", a)
			}
			s.send(toolCall("6", "echo", `{"text":"quiet"}`))
			if a := s.next(); a.text() != "quiet" {
				t.Errorf("after the end: %+v", a)
			}
		})
	}
}

// told reads the parameters of a notification of progress or a log message.
func told(t *testing.T, params json.RawMessage) string {
	t.Helper()
	var said struct {
		Token    any     `json:"progressToken"`
		Progress float64 `json:"progress"`
		Total    float64 `json:"total"`
		Message  string  `json:"message"`
		Data     string  `json:"data"`
	}
	if err := json.Unmarshal(params, &said); err != nil {
		t.Fatal(err)
	}
	if said.Token == nil {
		return said.Data
	}
	return fmt.Sprintf("%v %v of %v: %s", said.Token, said.Progress, said.Total, said.Message)
}
