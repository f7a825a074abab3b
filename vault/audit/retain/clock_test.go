package retain_test

import (
	"slices"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

// TestClocksThatAreWrong keep nothing that is old, and drop nothing that is not.
func TestClocksThatAreWrong(t *testing.T) {
	const years = 10 * 365
	many := func(r record, n int) []record { return slices.Repeat([]record{r}, n) }
	for name, test := range map[string]struct {
		chain []record
		kept  []int // when those were written that must be there
	}{
		"none":                             {chain: []record{{50, 50}, {40, 40}, {2, 2}, {1, 1}}, kept: []int{2, 1}},
		"one ahead by years":               {chain: []record{{50, 50}, {49, -years}, {40, 40}, {2, 2}, {1, 1}}, kept: []int{2, 1}},
		"the first ahead by years":         {chain: []record{{51, -years}, {50, 50}, {40, 40}, {2, 2}, {1, 1}}, kept: []int{2, 1}},
		"many ahead by years":              {chain: slices.Concat([]record{{50, 50}}, many(record{49, -years}, 30), many(record{40, 40}, 40), []record{{2, 2}, {1, 1}}), kept: []int{2, 1}},
		"ahead by less than has passed":    {chain: []record{{50, 50}, {49, 10}, {48, 48}, {47, 47}, {40, 40}, {2, 2}, {1, 1}}, kept: []int{2, 1}},
		"two ahead by days":                {chain: []record{{50, 50}, {49, 10}, {48, 9}, {47, 47}, {46, 46}, {45, 45}, {2, 2}, {1, 1}}, kept: []int{2, 1}},
		"a few behind by weeks":            {chain: []record{{60, 60}, {10, 10}, {9, 50}, {8, 50}, {1, 1}}, kept: []int{10, 9, 8, 1}},
		"one behind by years":              {chain: []record{{50, 50}, {40, years}, {39, 39}, {2, 2}, {1, 1}}, kept: []int{2, 1}},
		"a new one ahead":                  {chain: []record{{50, 50}, {40, 40}, {2, -years}, {1, 1}}, kept: []int{2, 1}},
		"a new one behind":                 {chain: []record{{50, 50}, {40, 40}, {2, years}, {1, 1}}, kept: []int{2, 1}},
		"the last ahead":                   {chain: []record{{50, 50}, {40, 40}, {1, -years}}, kept: []int{1}},
		"the last behind":                  {chain: []record{{50, 50}, {40, 40}, {1, years}}, kept: []int{1}},
		"all that is new behind":           {chain: slices.Concat([]record{{50, 50}, {40, 40}}, many(record{1, years}, 150)), kept: slices.Repeat([]int{1}, 150)},
		"ten minutes apart, many times":    {chain: slices.Concat(many(record{50, 50}, 200), many(record{40, 40}, 1000), []record{{1, 1}}), kept: []int{1}},
		"one ahead at the end of a page":   {chain: slices.Concat(many(record{50, 50}, 998), []record{{49, 10}, {49, 10}, {49, 10}}, many(record{45, 45}, 98), []record{{1, 1}}), kept: []int{1}},
		"two ahead, one behind, one after": {chain: []record{{50, 50}, {49, -years}, {48, years}, {47, -years}, {46, 46}, {45, 45}, {3, 3}, {2, 2}, {1, 1}}, kept: []int{3, 2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engines["sqlite"](t))
			noon := time.Now().UTC().Truncate(day).Add(day / 2)
			for i, one := range test.chain {
				at := noon.Add(time.Duration(i%2)*10*time.Minute - time.Duration(one.says)*day)
				e := audit.Entry{Time: at, Event: "call", Tenant: "acme", DurationMillis: int64(one.ago)}
				if err := r.log.Record(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				if err := r.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if kept := r.written(t); !slices.Equal(kept, test.kept) {
				t.Errorf("kept %v, want %v", kept, test.kept)
			}
			if _, err := r.verify(t, r.key); err != nil {
				t.Error(err)
			}
		})
	}
}

// record was written so many days ago, and says another number of them.
type record struct{ ago, says int }

// written are when calls were written that are still on record.
func (r *rig) written(t *testing.T) (ago []int) {
	t.Helper()
	for after := int64(0); ; {
		list, err := r.log.List(t.Context(), "acme", after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return ago
		}
		for _, one := range list {
			after = one.Seq
			if e, err := one.Entry(); err != nil {
				t.Fatal(err)
			} else if e.Event == "call" {
				ago = append(ago, int(e.DurationMillis))
			}
		}
	}
}
