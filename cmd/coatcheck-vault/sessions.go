package main

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

type sessionsCmd struct {
	List   sessionsListCmd   `cmd:"" help:"List the sessions that live (--all: also those that ended)"`
	Show   sessionsShowCmd   `cmd:"" help:"Show one session"`
	Revoke sessionsRevokeCmd `cmd:"" help:"End a session now: its open connections are closed and its next call asks for a sign-in"`
}

type sessionsListCmd struct {
	All bool `help:"Also those that ended"`
}

// admin runs a command on the store of the settings.
func (p program) admin(ctx context.Context, c *cli, act func(*vault.Admin) error) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	a, err := vault.OpenAdmin(ctx, vault.Config{Settings: s, Log: p.logger(s)})
	if err != nil {
		return err
	}
	return errors.Join(act(a), a.Close())
}

// Run lists sessions, newest last.
func (l sessionsListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		list, err := a.Sessions(ctx)
		if err != nil {
			return err
		}
		table := p.table("SESSION", "STATE", "PERSON", "DEVICE", "HOST", "CREATED", "USED", "UNTIL")
		for _, s := range list {
			state := sessionState(s)
			if state != "live" && !l.All {
				continue
			}
			row(table, string(s.ID), state, orDash(s.Shown.Name), short(string(s.Device)), orDash(s.Shown.Host), stamp(s.Created), stamp(s.Used), stamp(s.Until))
		}
		return table.Flush()
	})
}

func sessionState(s session.Session) string {
	switch now := time.Now(); {
	case !s.Revoked.IsZero():
		return "ended"
	case now.After(s.Until), now.After(s.IdleUntil):
		return "expired"
	}
	return "live"
}

type sessionsShowCmd struct {
	ID string `arg:"" help:"The session's id"`
}

// Run shows everything that is known of one session.
func (s sessionsShowCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		found, err := a.Session(ctx, identity.SessionID(s.ID))
		if err != nil {
			return err
		}
		table := p.table("SESSION", string(found.ID))
		for _, line := range [][2]string{
			{"state", sessionState(found)}, {"person", string(found.Person)}, {"name", found.Shown.Name}, {"tenant", string(found.Tenant)},
			{"device", string(found.Device)}, {"key class", found.Shown.KeyClass}, {"host", found.Shown.Host}, {"user", found.Shown.User},
			{"platform", found.Shown.OS}, {"shim", found.Shown.Version}, {"address", found.Shown.Address},
			{"created", stamp(found.Created)}, {"used", stamp(found.Used)}, {"ends idle", stamp(found.IdleUntil)}, {"ends", stamp(found.Until)},
			{"ended", stamp(found.Revoked)},
		} {
			row(table, line[0], orDash(line[1]))
		}
		return table.Flush()
	})
}

type sessionsRevokeCmd struct {
	ID string `arg:"" help:"The session's id"`
}

// Run revokes one session.
func (s sessionsRevokeCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		if err := a.RevokeSession(ctx, identity.SessionID(s.ID)); err != nil {
			return err
		}
		return p.say("The session %s is revoked. A running vault closes its connections within a second.", s.ID)
	})
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func short(id string) string { return id[:min(len(id), 12)] }

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
