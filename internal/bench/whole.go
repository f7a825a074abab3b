package bench

import (
	"context"
	"os/exec"
	"path/filepath"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
)

const wholeTool = "confluence_list_spaces"

// whole measures the vault with everything on: session, guard, audit on disk,
// sealed grant, and a simulated Confluence that answers at once. Beside it
// runs the direct server, with answers as long as the vault's.
func whole(ctx context.Context, a *arena, of func(measure, string) *series) error {
	ready, _, end, err := a.play(ctx, role.Whole, a.opt.Bin, filepath.Join(a.dir, "stage"))
	if err != nil {
		return err
	}
	defer end()
	shim := exec.CommandContext(ctx, a.coatcheck, "--vault", ready.URL)
	shim.Env, shim.Dir = ready.Env, ready.Home
	vault, _, err := spawnTalker(ctx, wholeVault, shim)
	if err != nil {
		return err
	}
	defer vault.end()
	vault.tool = wholeTool
	plain, _, err := spawnTalker(ctx, direct, a.command(ctx, "direct-home", a.direct))
	if err != nil {
		return err
	}
	defer plain.end()
	line, err := vault.ask(vault.request(0))
	if err != nil {
		return err
	}
	length := len(line)
	for round := range a.opt.Rounds {
		for _, t := range turn([]*talker{vault, plain}, round) {
			if err := a.wholeRound(round, t, length, of); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *arena) wholeRound(round int, t *talker, length int, of func(measure, string) *series) error {
	for range a.opt.Trips {
		took, err := t.trip(length)
		if err != nil {
			return err
		}
		of(wholeTrip, t.name).add(round, float64(took)/1e3)
	}
	for _, traffic := range []struct {
		measure measure
		window  int
	}{{whole16, 16}, {whole64, 64}} {
		perSecond, err := t.flood(traffic.window, 4*a.opt.Calls, length)
		if err != nil {
			return err
		}
		of(traffic.measure, t.name).add(round, perSecond)
	}
	return nil
}
