package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

type sessionsCmd struct {
	List   sessionsListCmd   `cmd:"" help:"List the sessions that live (--all: also those that ended)"`
	Show   sessionsShowCmd   `cmd:"" help:"Show one session"`
	Revoke sessionsRevokeCmd `cmd:"" help:"End a session now: its open connections are closed and its next call asks for a sign-in"`
}

type sessionsListCmd struct {
	All    bool   `help:"Also those that ended"`
	Person string `placeholder:"ID" help:"Only this person's"`
	Tenant string `placeholder:"NAME" help:"Only those at this tenant"`
	JSON   bool   `help:"Print JSON Lines"`
}

// admin runs a command on the store of the settings.
func (p program) admin(ctx context.Context, c *cli, act func(*vault.Admin) error) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	p.tune() // who reads a whole chain leaves much garbage, and little lives long
	a, err := vault.OpenAdmin(ctx, vault.Config{Settings: s, Log: p.logger(s.Observability.Level()), User: p.user()})
	if err != nil {
		return err
	}
	return errors.Join(act(a), a.Close())
}

// everything reads all pages of a list.
func everything[T any](page func(admin.Paging) (admin.Page[T], error)) ([]T, error) {
	var all []T
	at := admin.Paging{Limit: admin.MaxLimit}
	for {
		got, err := page(at)
		if err != nil {
			return nil, err
		}
		if all = append(all, got.Items...); got.Next == "" {
			return all, nil
		}
		at.Cursor = got.Next
	}
}

// lines prints a list as JSON Lines.
func lines[T any](p program, list []T, shown func(T) any) error {
	enc := json.NewEncoder(p.out)
	for _, item := range list {
		if err := enc.Encode(shown(item)); err != nil {
			return err
		}
	}
	return nil
}

func (p program) json(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Run lists sessions, newest first.
func (l sessionsListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		q := admin.SessionQuery{Person: identity.PersonID(l.Person), Tenant: identity.TenantID(l.Tenant), Live: !l.All}
		list, err := everything(func(at admin.Paging) (admin.Page[session.Session], error) {
			q.Paging = at
			return a.Sessions(ctx, a.Who, q)
		})
		if err != nil {
			return err
		}
		now := time.Now()
		if l.JSON {
			return lines(p, list, func(s session.Session) any { return view.SessionOf(s, now) })
		}
		table := p.table("SESSION", "STATE", "PERSON", "DEVICE", "HOST", "CREATED", "USED", "UNTIL")
		for _, s := range list {
			row(table, string(s.ID), admin.State(s, now), orDash(s.Shown.Name), short(string(s.Device)), orDash(s.Shown.Host), stamp(s.Created), stamp(s.Used), stamp(s.Until))
		}
		return table.Flush()
	})
}

type sessionsShowCmd struct {
	ID   string `arg:"" help:"The session's id"`
	JSON bool   `help:"Print JSON"`
}

// Run shows everything that is known of one session.
func (s sessionsShowCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		found, err := a.Session(ctx, a.Who, identity.SessionID(s.ID))
		if err != nil {
			return err
		}
		if s.JSON {
			return p.json(view.SessionOf(found, time.Now()))
		}
		return p.session(found)
	})
}

// session prints all of a session.
func (p program) session(found session.Session) error {
	table := p.table("SESSION", string(found.ID))
	for _, line := range [][2]string{
		{"state", admin.State(found, time.Now())}, {"person", string(found.Person)}, {"name", found.Shown.Name}, {"tenant", string(found.Tenant)},
		{"device", string(found.Device)}, {"key class", found.Shown.KeyClass}, {"host", found.Shown.Host}, {"user", found.Shown.User},
		{"platform", found.Shown.OS}, {"shim", found.Shown.Version}, {"address", found.Shown.Address},
		{"created", stamp(found.Created)}, {"used", stamp(found.Used)}, {"ends idle", stamp(found.IdleUntil)}, {"ends", stamp(found.Until)},
		{"ended", stamp(found.Revoked)},
	} {
		row(table, line[0], orDash(line[1]))
	}
	return table.Flush()
}

type sessionsRevokeCmd struct {
	ID string `arg:"" help:"The session's id"`
}

// Run revokes one session.
func (s sessionsRevokeCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		if _, err := a.Revoke(ctx, a.Who, admin.Scope{Session: identity.SessionID(s.ID)}); err != nil {
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
