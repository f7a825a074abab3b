package main

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

type devicesCmd struct {
	List   devicesListCmd   `cmd:"" help:"List the devices that people are or were signed in on"`
	Show   devicesShowCmd   `cmd:"" help:"Show one device and the session that was there last"`
	Revoke devicesRevokeCmd `cmd:"" help:"End the session of a device now; the person's grant stays for other devices"`
}

type devicesListCmd struct {
	Person string `placeholder:"ID" help:"Only this person's"`
	JSON   bool   `help:"Print JSON Lines"`
}

// Run lists devices.
func (l devicesListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		list, err := everything(func(at admin.Paging) (admin.Page[session.Session], error) {
			return a.Devices(ctx, a.Who, admin.SessionQuery{Person: identity.PersonID(l.Person), Paging: at})
		})
		if err != nil {
			return err
		}
		now := time.Now()
		if l.JSON {
			return lines(p, list, func(s session.Session) any { return view.DeviceOf(s, now) })
		}
		table := p.table("DEVICE", "PERSON", "HOST", "PLATFORM", "KEY", "SIGNED IN", "USED")
		for _, s := range list {
			row(table, string(s.Device), orDash(s.Shown.Name), orDash(s.Shown.Host), orDash(s.Shown.OS), orDash(s.Shown.KeyClass), admin.State(s, now), stamp(s.Used))
		}
		return table.Flush()
	})
}

type devicesShowCmd struct {
	ID   string `arg:"" help:"The device's id: the thumbprint of its key"`
	JSON bool   `help:"Print JSON"`
}

// Run shows one device.
func (s devicesShowCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		found, err := a.Device(ctx, a.Who, identity.DeviceID(s.ID))
		if err != nil {
			return err
		}
		if s.JSON {
			return p.json(view.DeviceOf(found, time.Now()))
		}
		return p.session(found)
	})
}

type devicesRevokeCmd struct {
	ID string `arg:"" help:"The device's id"`
}

// Run ends the session of one device.
func (r devicesRevokeCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		done, err := a.Revoke(ctx, a.Who, admin.Scope{Device: identity.DeviceID(r.ID)})
		if err != nil {
			return err
		}
		if len(done.Sessions) == 0 {
			return p.say("Nobody was signed in on the device %s any more.", r.ID)
		}
		return p.say("The session of the device %s is revoked. A running vault closes its connections within a second.", r.ID)
	})
}
