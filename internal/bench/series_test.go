package bench

import (
	"math"
	"strings"
	"testing"
)

func of(rounds ...[]float64) series { return rounds }

func TestSeries(t *testing.T) {
	s := of([]float64{3, 1, 2}, []float64{10}, nil)
	if got := s.median(); got != 2.5 {
		t.Errorf("median of 1 2 3 10: %v, want 2.5", got)
	}
	if got := percentile(s.all(), 0); got != 1 {
		t.Errorf("lowest: %v, want 1", got)
	}
	if got := percentile(s.all(), 1); got != 10 {
		t.Errorf("highest: %v, want 10", got)
	}
	if got := of().median(); !math.IsNaN(got) {
		t.Errorf("median of nothing: %v, want NaN", got)
	}
}

// A machine that was slow in one round was slow for everybody in it, so rounds
// are compared with themselves.
func TestRatioIsPerRound(t *testing.T) {
	ours := of([]float64{2}, []float64{200}, []float64{20})
	others := of([]float64{1}, []float64{100}, []float64{10})
	if got := ours.ratio(others); got != 2 {
		t.Errorf("ratio: %v, want 2", got)
	}
	if got := ours.ratio(of(nil, nil, []float64{4})); got != 5 {
		t.Errorf("ratio where one took part in one round: %v, want 5", got)
	}
	if got := ours.ratio(of(nil)); !math.IsNaN(got) {
		t.Errorf("ratio without a common round: %v, want NaN", got)
	}
}

func TestVerdict(t *testing.T) {
	ours, theirs := of([]float64{150}), of([]float64{100})
	rows := map[string]*series{coatcheck: &ours, direct: &theirs}
	for _, test := range []struct {
		goal goal
		want string
	}{
		{goal{coatcheck, direct, false, 1.5}, "<= 1.5 x direct Go stdio server: reached"},
		{goal{coatcheck, direct, false, 1.4}, "<= 1.4 x direct Go stdio server: MISSED"},
		{goal{coatcheck, direct, true, 1.5}, ">= 1.5 x direct Go stdio server: reached"},
		{goal{coatcheck, direct, true, 1.6}, ">= 1.6 x direct Go stdio server: MISSED"},
		{goal{coatcheck, "", false, 150}, "<= 150: reached"},
		{goal{coatcheck, "", false, 149}, "<= 149: MISSED"},
		{goal{coatcheck, remote, false, 1}, "(no mcp-remote to compare with)"},
	} {
		if got := test.goal.verdict(rows); got != test.want {
			t.Errorf("verdict of %+v: %q, want %q", test.goal, got, test.want)
		}
	}
}

func TestAnswerPassesOverOtherMessages(t *testing.T) {
	said := []string{
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
		`not JSON`,
		`{"result":{"content":[]},"jsonrpc":"2.0","id":1}`,
		`{"jsonrpc":"2.0","id":2,"result":{"isError":true}}`,
		`{"jsonrpc":"2.0","error":{"code":1,"message":"no"},"id":3}`,
	}
	talker := &talker{read: func() ([]byte, error) {
		line := said[0]
		said = said[1:]
		return []byte(line), nil
	}}
	if line, err := talker.answer(); err != nil || !strings.HasPrefix(string(line), `{"result"`) {
		t.Errorf("answer: %s, %v", line, err)
	}
	for range 2 {
		if line, err := talker.answer(); err == nil {
			t.Errorf("an error was taken for an answer: %s", line)
		}
	}
}
