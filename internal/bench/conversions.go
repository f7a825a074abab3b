package bench

import (
	"context"
	"runtime"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/conversion"
)

// conversionSize is that of the page which is converted, in bytes.
const conversionSize = 256 << 10

// conversions measures how fast a page becomes Markdown, by us and by the libraries that one would take instead. Both get
// the same page on the same one thread, in turns.
func conversions(ctx context.Context, a *arena, of func(measure, string) *series) error {
	storage := conversion.Page(conversionSize)
	type contender struct {
		name    string
		convert func(string) (string, error)
	}
	for round := range a.opt.Rounds {
		for _, who := range turn([]contender{{coatcheck, conversion.Ours}, {pipeline, conversion.Pipeline}}, round) {
			for range max(1, a.opt.Trips/20) {
				if err := ctx.Err(); err != nil {
					return err
				}
				runtime.GC() // nobody pays for what another left behind
				began := time.Now()
				if _, err := who.convert(storage); err != nil {
					return err
				}
				of(reading, who.name).add(round, float64(len(storage))/1e6/time.Since(began).Seconds())
			}
		}
	}
	return nil
}
