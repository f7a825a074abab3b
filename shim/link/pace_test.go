package link_test

import (
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/link"
)

func ending(code usererr.Code, held time.Duration, bye wire.ByeReason) link.Ending {
	return link.Ending{Why: usererr.New(code, "m", ""), Held: held, Heard: held > 0, Bye: bye}
}

func TestPace(t *testing.T) {
	unavailable := ending(usererr.Unavailable, 0, "")
	for name, test := range map[string]struct {
		before      int // failures
		end         link.Ending
		least, most time.Duration // that Most must be within, for every draw
	}{
		"first failure":           {0, unavailable, 0, 200 * time.Millisecond},
		"fifth failure":           {4, unavailable, 0, 3200 * time.Millisecond},
		"hundredth failure":       {99, unavailable, 0, 30 * time.Second},
		"a good link":             {99, ending(usererr.Unavailable, time.Minute, ""), 0, 0},
		"a short but useful link": {99, ending(usererr.Unavailable, time.Second, ""), 0, 400 * time.Millisecond},
		"what waiting won't mend": {0, ending(usererr.Settings, 0, ""), 5 * time.Second, 5200 * time.Millisecond},
		"the wrong version":       {0, ending(usererr.Version, 0, wire.ByeVersion), 5 * time.Minute, 5 * time.Minute},
		"too much":                {0, ending(usererr.Unavailable, 0, wire.ByeLimit), 10 * time.Second, 16 * time.Second},
		"revoked":                 {0, ending(usererr.Revoked, time.Minute, wire.ByeRevoked), 0, 0},
		"revoked again and again": {50, ending(usererr.Revoked, 0, wire.ByeRevoked), 0, 30 * time.Second},
		"a goodbye of a new kind": {0, ending(usererr.Unavailable, 0, "holiday"), 0, 200 * time.Millisecond},
	} {
		var longest time.Duration
		for range 200 {
			var p link.Pace
			for range test.before {
				p.After(unavailable)
			}
			pause := p.After(test.end)
			if pause.Most < test.least || pause.Most > test.most || pause.Least > pause.Most {
				t.Fatalf("%s: %+v", name, pause)
			}
			longest = max(longest, pause.Most)
		}
		if longest < (test.least+test.most)/2 {
			t.Errorf("%s: never longer than %v", name, longest)
		}
	}
}
