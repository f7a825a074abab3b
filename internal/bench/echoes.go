package bench

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
)

// contender is a program that is started over and over.
type contender struct {
	name   string
	slow   bool // a bridge, which takes part in fewer rounds
	silent bool // has no server: only its first answer is measured
	start  func() *exec.Cmd
}

// echoes measures everything that has the echo server at its far end: first
// answers, round trips, floods and memory.
func echoes(ctx context.Context, a *arena, of func(measure, string) *series) error {
	all, bare, err := a.contenders(ctx)
	if err != nil {
		return err
	}
	if err := prime(ctx, all); err != nil {
		return err
	}
	for round := range a.opt.Rounds {
		if err := a.spawnRound(ctx, round, turn(all, round), of); err != nil {
			return err
		}
	}
	talkers := []*talker{bare}
	defer func() {
		for _, t := range talkers {
			t.end()
		}
	}()
	for _, c := range all {
		if c.silent {
			continue
		}
		t, _, err := spawnTalker(ctx, c.name, c.start())
		if err != nil {
			return err
		}
		talkers = append(talkers, t)
		if _, err := t.trip(100); err != nil {
			return err
		}
	}
	time.Sleep(time.Second) // for what goes on after the first answer
	a.memory(talkers, of, idleMemory, resident)
	for round := range a.opt.Rounds {
		if err := a.trafficRound(round, turn(talkers, round), of); err != nil {
			return err
		}
	}
	a.memory(talkers, of, peakMemory, peak)
	return nil
}

// settle is the time for the far end of one contender to be done with it, so
// that this is not counted as the next one's.
const settle = 30 * time.Millisecond

// turn lets another one begin in each round.
func turn[T any](all []T, round int) []T {
	at := round % len(all)
	return slices.Concat(all[at:], all[:at])
}

// contenders starts the far ends.
func (a *arena) contenders(ctx context.Context) ([]contender, *talker, error) {
	urls := map[string]string{}
	for _, name := range []string{role.Socket, role.HTTP, role.Vault, role.Guests} {
		ready, _, _, err := a.play(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		urls[name] = ready.URL
	}
	all := []contender{
		{name: direct, start: func() *exec.Cmd { return a.command(ctx, "direct-home", a.direct) }},
		{name: coatcheck, start: func() *exec.Cmd { return a.shim(ctx, "member", urls[role.Vault]) }},
		{name: guest, silent: true, start: func() *exec.Cmd { return a.shim(ctx, "guest", urls[role.Guests]) }},
		// Nobody listens on the discard port.
		{name: down, silent: true, start: func() *exec.Cmd { return a.shim(ctx, "lonely", "http://127.0.0.1:9") }},
	}
	if file := a.bridge(remote, "dist/proxy.js"); file != "" {
		all = append(all, contender{name: remote, slow: true, start: func() *exec.Cmd {
			return a.command(ctx, "remote-home", a.node, file, urls[role.HTTP], "--allow-http", "--transport", "http-only")
		}})
	}
	if file := a.bridge(supergateway, "dist/index.js"); file != "" {
		all = append(all, contender{name: supergateway, slow: true, start: func() *exec.Cmd {
			return a.command(ctx, "supergateway-home", a.node, file, "--streamableHttp", urls[role.HTTP], "--logLevel", "none")
		}})
	}
	bare, err := dialTalker(ctx, urls[role.Socket])
	return all, bare, err
}

// prime lets every contender run once, so that programs are in the page cache
// and shims have their key and have met their vault.
func prime(ctx context.Context, all []contender) error {
	for _, c := range all {
		t, _, err := spawnTalker(ctx, c.name, c.start())
		if err != nil {
			return err
		}
		if !c.silent {
			_, err = t.trip(100)
		} else {
			time.Sleep(300 * time.Millisecond)
		}
		t.end()
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *arena) spawnRound(ctx context.Context, round int, all []contender, of func(measure, string) *series) error {
	for i := range a.opt.Spawns {
		for _, c := range turn(all, i) {
			if c.slow && (round%a.opt.Bridges != 0 || i > 0) {
				continue
			}
			time.Sleep(settle)
			t, took, err := spawnTalker(ctx, c.name, c.start())
			if err != nil {
				return err
			}
			t.kill()
			t.end()
			of(spawn, c.name).add(round, float64(took)/1e6)
		}
	}
	return nil
}

// trafficRound lets each contender carry all kinds of traffic once.
func (a *arena) trafficRound(round int, talkers []*talker, of func(measure, string) *series) error {
	for _, traffic := range []struct {
		measure measure
		size    int
	}{{trip1, 1 << 10}, {trip64, 64 << 10}} {
		for _, t := range talkers {
			for range a.opt.Trips {
				took, err := t.trip(traffic.size)
				if err != nil {
					return err
				}
				of(traffic.measure, t.name).add(round, float64(took)/1e3)
			}
		}
	}
	for _, traffic := range []struct {
		measure measure
		window  int
	}{{flood16, 16}, {flood64, 64}} {
		for _, t := range talkers {
			perSecond, err := t.flood(traffic.window, a.opt.Calls, 1<<10)
			if err != nil {
				return fmt.Errorf("%d calls in flight: %w", traffic.window, err)
			}
			of(traffic.measure, t.name).add(round, perSecond)
		}
	}
	return nil
}

// memory notes what the processes of talkers take.
func (a *arena) memory(talkers []*talker, of func(measure, string) *series, m measure, field string) {
	for _, t := range talkers {
		if t.pid == 0 {
			continue
		}
		bytes, err := memoryOf(t.pid, field)
		if err != nil {
			a.note("%s: %v", m, err)
			return
		}
		of(m, t.name).add(0, bytes/(1<<20))
	}
}
