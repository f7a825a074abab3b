package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/logs"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
	"github.com/coatcheck-mcp/coatcheck/shim/visit"
)

// status shows how things stand: all that can be told, also when some of it is wrong. Its error is
// the first thing that keeps this device from working.
func status(ctx context.Context, p *program) error {
	_, _ = fmt.Fprintf(p.out, "%s\n\nSettings\n", buildinfo.Line("coatcheck"))
	p.showSettings()
	if p.settings.Vault == nil {
		return p.wrong
	}
	log := p.openLog(true)
	defer log.Close()
	_, _ = fmt.Fprint(p.out, "\nThis device\n")
	known, err := p.showDevice(log)
	if err != nil {
		return err
	}
	if p.wrong != nil {
		return p.wrong
	}
	_, _ = fmt.Fprint(p.out, "\nVault\n")
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	return p.showVault(ctx, log, known)
}

func (p *program) showSettings() {
	places := p.places()
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	row(w, "file", places.File)
	row(w, "policy", places.Policy)
	_, _ = fmt.Fprintln(w)
	for _, v := range p.settings.Values {
		text, source := v.Text, string(v.Source)
		if text == "" {
			text = "-"
		}
		if v.Where != "" {
			source += " (" + v.Where + ")"
		}
		row(w, v.Key, text, source)
	}
	_ = w.Flush()
	for _, note := range p.settings.Notes {
		_, _ = fmt.Fprintln(p.out, "  note: "+note)
	}
}

// row writes one line of a table; who reads the output ended is not our care.
func row(w io.Writer, cells ...string) {
	for _, cell := range cells {
		_, _ = fmt.Fprint(w, "\t"+cell)
	}
	_, _ = fmt.Fprintln(w)
}

// showDevice tells about the key without touching it.
func (p *program) showDevice(log *logs.Log) (known bool, err error) {
	thumbprint, class, err := p.keeper(log.Logger()).Known()
	if err != nil {
		return false, err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }()
	if thumbprint == "" {
		row(w, "key", "none yet; it is made when it is first needed")
		return false, nil
	}
	row(w, "key", thumbprint)
	row(w, "kept in", class)
	if p.settings.LogDir != "" {
		row(w, "log", logs.Path(p.settings.LogDir))
	}
	return true, nil
}

func (p *program) showVault(ctx context.Context, log *logs.Log, known bool) error {
	way, err := p.network()
	if err != nil {
		return err
	}
	defer way.Close()
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }()
	if !known { // a key is not made only to look
		if err := p.knock(ctx, way); err != nil {
			row(w, "reachable", "no")
			return err
		}
		row(w, "reachable", "yes")
		row(w, "signed in", "no")
		return errSignedOut
	}
	at, err := visit.Open(ctx, visit.Config{Network: way, Vault: p.settings.Vault, Prover: p.keeper(log.Logger())})
	if err != nil {
		row(w, "reachable", "no")
		return err
	}
	defer at.Close()
	row(w, "reachable", "yes")
	row(w, "version", at.Version)
	if !at.SignedIn {
		row(w, "signed in", "no")
		return errSignedOut
	}
	row(w, "signed in", "yes")
	return nil
}

// knock asks the vault whether it lives, without saying who asks.
func (p *program) knock(ctx context.Context, n *network.Network) error {
	origin := p.settings.Vault.String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := n.HTTP.Do(req)
	if err != nil {
		return network.Explain(err, origin)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return usererr.New(usererr.Unavailable, "What answers at "+origin+" is no vault, or one that is not well ("+res.Status+")",
			"Check the vault's address, and tell its administrator")
	}
	return nil
}

var errSignedOut = usererr.New(usererr.SignIn, "This device is not signed in", `Ask your assistant something about Confluence, or run "coatcheck login"`)
