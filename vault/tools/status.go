package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

type statusIn struct{}

type statusOut struct {
	SignedIn   bool           `json:"signed_in"`
	Person     string         `json:"person,omitempty"`
	Tenant     string         `json:"tenant,omitempty"`
	Grant      string         `json:"grant,omitempty" jsonschema:"permission to use Confluence"`
	Sites      []statusSite   `json:"sites"`
	Scopes     []string       `json:"scopes"`
	Until      string         `json:"session_until,omitempty"`
	Devices    []statusDevice `json:"devices"`
	GrantUntil string         `json:"grant_expires,omitempty"`
	Version    string         `json:"vault_version"`
	SignInURL  string         `json:"sign_in_url,omitempty"`
	Message    string         `json:"message"`
}

type statusSite struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// statusDevice is a computer that the person is signed in on.
type statusDevice struct {
	Here     bool   `json:"here" jsonschema:"this computer"`
	Host     string `json:"host,omitempty"`
	Platform string `json:"platform,omitempty"`
	Version  string `json:"coatcheck_version,omitempty"`
	KeyClass string `json:"key_class,omitempty" jsonschema:"keychain or file"`
	SignedIn string `json:"signed_in,omitempty"`
	Used     string `json:"last_used,omitempty"`
}

var statusTool = tool.Spec[statusIn, statusOut]{
	Name: "coatcheck_status", Title: "Sign-in status",
	Description: "Tell who is signed in, which sites and permissions there are and until when. Starts the sign-in if there is none.",
	Closed:      true, Anonymous: true,
	Run: status,
}

func status(ctx context.Context, t *tool.Set, _ statusIn) (statusOut, string, error) {
	out := statusOut{Sites: []statusSite{}, Scopes: []string{}, Devices: []statusDevice{}, Version: t.Version}
	found, err := t.Door.Status(ctx)
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
		out.Until, out.Grant, out.GrantUntil = tool.Stamp(found.Who.Until), string(found.Grant.State), tool.Stamp(found.Grant.Expires)
		for _, s := range found.Grant.Sites {
			out.Sites = append(out.Sites, statusSite{s.Name, s.URL})
		}
		out.Scopes = append(out.Scopes, found.Grant.Scopes...)
		for _, d := range found.Who.Devices {
			out.Devices = append(out.Devices, statusDevice{d.Here, d.Host, d.Platform, d.Version, d.KeyClass, tool.Stamp(d.Created), tool.Stamp(d.Used)})
		}
		return out, statusText(out), nil
	}
	state, err := t.SignIn.Start(ctx)
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
	for _, d := range out.Devices {
		line("Signed in on", d.text())
	}
	if len(out.Devices) > 0 {
		line("To sign out", "run coatcheck logout on a computer for that one, coatcheck logout --everywhere for all of them")
	}
	line("Vault version", out.Version)
	return b.String()
}

// text says all that is known of a device on one line.
func (d statusDevice) text() string {
	host := d.Host
	if host == "" {
		host = "a computer without a name"
	}
	var more []string
	if d.Here {
		more = append(more, "this one")
	}
	for _, part := range [][2]string{{"", d.Platform}, {"key in ", d.KeyClass}, {"since ", d.SignedIn}, {"used ", d.Used}} {
		if part[1] != "" {
			more = append(more, part[0]+part[1])
		}
	}
	return host + " (" + strings.Join(more, ", ") + ")"
}
