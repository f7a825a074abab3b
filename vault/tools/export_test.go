package tools_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// shelf is a computer with one file on it.
type shelf struct {
	bytes.Buffer
	folder, name  string
	kept, dropped bool
	err           error
}

func (s *shelf) Open(context.Context, string) (tool.Source, error) { panic("nothing is read") }

func (s *shelf) Create(_ context.Context, folder, name string, _ int64) (tool.Target, error) {
	s.folder, s.name = folder, name
	return s, s.err
}

func (s *shelf) Keep() (string, error) {
	s.kept = true
	return s.folder + "/" + s.name, s.err
}

func (s *shelf) Drop() { s.dropped = true }

// exporting is a rig with a computer.
func exporting(t *testing.T, s *shelf) *client {
	r := newRig(t, atlassiansim.Options{})
	r.toolsets, r.scopes, r.computer = []string{"export"}, append(allScopes(), toolsetScopes()...), s
	r.start()
	return r.connect()
}

func TestATreeIsExportedToAFile(t *testing.T) {
	s := &shelf{}
	c := exporting(t, s)
	home, ok := c.r.sim.PageByTitle("ENG", "Engineering")
	if !ok {
		home = c.r.sim.AnyPage("ENG")
	}
	a := c.call("confluence_export", object{"page": home.ID, "depth": 3, "folder": "/home/ada/docs"})
	if a.IsError || !s.kept || s.folder != "/home/ada/docs" || !strings.HasSuffix(s.name, ".md") {
		t.Fatalf("%s; kept %t as %q in %q", a.text(), s.kept, s.name, s.folder)
	}
	if a.field("path") != s.folder+"/"+s.name || a.field("markdown") != "<nil>" {
		t.Errorf("the answer has path %s and text %.80s", a.field("path"), a.field("markdown"))
	}
	if text := s.String(); !strings.Contains(text, "# Deployment guide\n") && home.Title != "Deployment guide" || strings.Contains(text, "<ac:") {
		t.Errorf("the file is\n%.500s", text)
	}
	for _, e := range c.r.audited {
		if strings.Contains(string(e.Asked), "/home/ada") {
			t.Errorf("the record has the folder: %s", e.Asked)
		}
	}
}

func TestAFileThatCannotBeMadeIsNoFile(t *testing.T) {
	s := &shelf{err: usererr.New(usererr.Denied, "The folder is not allowed", "Choose another")}
	c := exporting(t, s)
	a := c.call("confluence_export", object{"page": c.r.sim.AnyPage("ENG").ID, "folder": "/etc"})
	if !a.IsError || !strings.Contains(a.text(), "not allowed") || s.kept {
		t.Errorf("%s, kept %t", a.text(), s.kept)
	}
	if strings.Contains(a.text(), "/etc") {
		t.Errorf("the answer has the path: %s", a.text())
	}
}

func TestAnExportWithoutARecordIsNoFile(t *testing.T) {
	s := &shelf{}
	c := exporting(t, s)
	c.r.auditErr = outage()
	a := c.call("confluence_export", object{"page": c.r.sim.AnyPage("ENG").ID, "folder": "/home/ada/docs"})
	if !a.IsError || s.kept || !s.dropped {
		t.Errorf("%s, kept %t, dropped %t", a.text(), s.kept, s.dropped)
	}
}

// The parts of an export are the export: nothing is lost or told twice, but for
// what opens code again.
func TestThePartsOfAnExportAreTheExport(t *testing.T) {
	c := exporting(t, &shelf{})
	body := strings.Repeat("<p>Some words of a paragraph that goes on for a while, with an end.</p>", 30) +
		`<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[` + strings.Repeat("line of code\n", 200) + `]]></ac:plain-text-body></ac:structured-macro>`
	parent := c.r.put("ada", "ENG", "Many parts", body)
	whole := c.call("confluence_export", object{"page": parent, "max_characters": 100_000})
	var parts strings.Builder
	a := c.call("confluence_export", object{"page": parent, "max_characters": 1_000})
	for n := 0; ; n++ {
		if a.IsError || n > 30 {
			t.Fatal(a.text())
		}
		parts.WriteString(a.field("markdown"))
		next := a.field("next_cursor")
		if next == "<nil>" {
			break
		}
		a = c.call("confluence_export", object{"cursor": next})
	}
	for _, text := range []string{"Some words of a paragraph that goes on", "line of code"} {
		if got, want := strings.Count(parts.String(), text), strings.Count(whole.field("markdown"), text); got != want {
			t.Errorf("%q is there %d times, want %d", text, got, want)
		}
	}
}
