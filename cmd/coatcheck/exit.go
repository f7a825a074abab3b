package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// The exit statuses. The help text lists them too.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitSignedOut   = 4
)

// exitStatus gives the exit status for an error.
func exitStatus(err error) int {
	switch usererr.CodeOf(err) {
	case "":
		return exitOK
	case usererr.Settings, usererr.BadInput:
		return exitUsage
	case usererr.Unavailable:
		return exitUnreachable
	case usererr.SignIn, usererr.Unauthorized, usererr.Revoked:
		return exitSignedOut
	}
	return exitFailure
}

// fail tells a person what went wrong, once, and returns the exit status.
func (p *program) fail(err error) int {
	text := ""
	switch wrong, ok := errors.AsType[*settings.Error](err); {
	case ok:
		text = wrong.Text()
	case errors.Is(err, context.Canceled):
		text = "stopped\n"
	default:
		if said, ok := usererr.From(err); ok {
			text = usererr.Text(said, "") + "\n"
		} else {
			text = err.Error() + "\n" // our own, about this computer
		}
	}
	_, _ = fmt.Fprint(p.err, "coatcheck: ", text)
	return exitStatus(err)
}

// onlyVault reports whether nothing but the vault's address is wrong with the
// settings, or missing.
func (p *program) onlyVault() bool {
	wrong, ok := errors.AsType[*settings.Error](p.wrong)
	return ok && wrong.OnlyVault()
}
