package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

type statusIn struct{}

type statusOut struct {
	SignedIn   bool         `json:"signed_in"`
	Person     string       `json:"person,omitempty"`
	Tenant     string       `json:"tenant,omitempty"`
	Grant      string       `json:"grant,omitempty" jsonschema:"state of the permission to use Confluence"`
	Sites      []statusSite `json:"sites"`
	Scopes     []string     `json:"scopes"`
	Until      string       `json:"session_until,omitempty"`
	GrantUntil string       `json:"grant_expires,omitempty"`
	Version    string       `json:"vault_version"`
	SignInURL  string       `json:"sign_in_url,omitempty"`
	Message    string       `json:"message"`
}

type statusSite struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

var statusTool = tool[statusIn, statusOut]{
	name: "coatcheck_status", title: "Sign-in status",
	description: "Tell who is signed in, which sites and permissions there are and until when. Starts the sign-in if there is none.",
	closed:      true, anonymous: true,
	run: status,
}

func status(ctx context.Context, t *toolset, _ statusIn) (statusOut, string, error) {
	out := statusOut{Sites: []statusSite{}, Scopes: []string{}, Version: t.cfg.Version}
	found, err := t.cfg.Door.Status(ctx)
	code := usererr.CodeOf(err)
	if err != nil && code != usererr.SignIn && code != usererr.Revoked {
		return out, "", err
	}
	if found.SignedIn && err == nil {
		out.SignedIn, out.Tenant, out.Message = true, string(found.Tenant), "You are signed in."
		out.Person = string(found.Person)
		if found.Who.Name != "" {
			out.Person = found.Who.Name
		}
		out.Until, out.Grant, out.GrantUntil = stamp(found.Who.Until), string(found.Grant.State), stamp(found.Grant.Expires)
		for _, s := range found.Grant.Sites {
			out.Sites = append(out.Sites, statusSite{s.Name, s.URL})
		}
		out.Scopes = append(out.Scopes, found.Grant.Scopes...)
		return out, statusText(out), nil
	}
	state, err := t.cfg.SignIn.Start(ctx)
	if err != nil {
		return out, "", err
	}
	out.SignInURL = state.URL
	out.Message = "You are not signed in. A sign-in was started: finish it in the browser, then ask again."
	if state.Message != "" {
		out.Message += " " + state.Message
	}
	return out, statusText(out), nil
}

func statusText(out statusOut) string {
	var b strings.Builder
	b.WriteString(out.Message + "\n")
	if out.SignInURL != "" {
		b.WriteString("\nIf no browser opened, open this link: " + out.SignInURL + "\n")
	}
	b.WriteString("\n")
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "- %s: %s\n", name, value)
		}
	}
	line("Person", out.Person)
	line("Tenant", out.Tenant)
	for _, s := range out.Sites {
		line("Site", s.Name+" ("+s.URL+")")
	}
	line("Permissions", strings.Join(out.Scopes, " "))
	line("Grant", out.Grant)
	line("Grant ends unless used", out.GrantUntil)
	line("Session ends", out.Until)
	line("Vault version", out.Version)
	return b.String()
}
