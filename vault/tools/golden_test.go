package tools_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden plays the conversations in testdata. A file has a comment, the
// section "client" with one step a line, and the section "server" with what
// came of it: the structured answer, the text behind |, what was asked of
// Confluence behind >, and what is in the audit log behind #.
//
//	call TOOL {…}               a call; {id:TITLE} is the id of a page that was
//	                            put, {cursor} the cursor of the last answer
//	                            {last} is the id of the object of the last answer
//	                            {account:NAME} and {group:NAME} are ids as well
//	                            {id:last} is the id of the last answer, {confirm}
//	                            the token that the last refusal asked for
//	body TITLE                  the storage format of a page
//	raw METHOD {…}              any other request
//	put PERSON SPACE TITLE BODY a page, or its next version, behind our back
//	send PERSON METHOD PATH {…} any other request to Confluence behind our back
//	fail METHOD PATH STATUS     what Confluence answers next instead
//	drop METHOD PATH            Confluence does it, and its answer is lost
//	person NAME | scopes … | deny SPACES | guest | revoked | broken audit
//	toolsets NAMES              what is offered beside the usual tools
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil || len(archive.Files) == 0 || archive.Files[0].Name != "client" {
				t.Fatalf("%v: want a section client", err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(archive.Files[0].Data)) })
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "server", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 2 || archive.Files[1].Name != "server" {
				t.Fatal("want two sections, client and server; -update writes the second")
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

var (
	changing   = regexp.MustCompile(`r_[A-Za-z0-9_-]{12}`)
	cursors    = regexp.MustCompile(`WyJ[A-Za-z0-9_-]{40,}`)
	lastObject = regexp.MustCompile(`^\{"object":\{"id":"(\d+)"`)
	pageID     = regexp.MustCompile(`\{id:([^}]*)\}`)
)

// script plays one file.
type script struct {
	*rig
	c       *client
	ids     map[string]string
	cursor  string
	last    string // id of the last object that an answer was about
	confirm string // the token of the last answer that asked for a yes
	out     strings.Builder
	seen    int // requests that are in out
	logged  int // audit records that are in out
}

func play(t *testing.T, steps string) string {
	s := &script{rig: newRig(t, atlassiansim.Options{}), ids: map[string]string{}}
	s.c = s.connect()
	for line := range strings.Lines(steps) {
		if line = strings.TrimSpace(line); line != "" {
			s.step(line)
		}
	}
	return cursors.ReplaceAllString(changing.ReplaceAllString(s.out.String(), "r_REFERENCE"), "CURSOR")
}

func (s *script) step(line string) {
	s.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "call":
		tool, arguments, _ := strings.Cut(rest, " ")
		arguments = pageID.ReplaceAllStringFunc(arguments, func(m string) string { return s.ids[pageID.FindStringSubmatch(m)[1]] })
		arguments = s.named(arguments)
		arguments = strings.NewReplacer("{cursor}", s.cursor, "{confirm}", s.confirm, "{last}", s.last).Replace(arguments)
		s.show(line, s.c.call(tool, arguments))
	case "body":
		page, _ := s.sim.PageByID(s.ids[rest])
		fmt.Fprintf(&s.out, "%s\n= %s\n\n", line, page.Body)
	case "raw":
		method, params, _ := strings.Cut(rest, " ")
		fmt.Fprintf(&s.out, "%s\n%s\n\n", line, indent(s.c.ask(method, params)))
	case "put":
		person, rest, _ := strings.Cut(rest, " ")
		space, rest, _ := strings.Cut(rest, " ")
		title, body := quoted(s.t, rest)
		s.ids[title] = s.put(person, space, title, body)
	case "send":
		rest = pageID.ReplaceAllStringFunc(rest, func(m string) string { return s.ids[pageID.FindStringSubmatch(m)[1]] })
		words := strings.SplitN(rest, " ", 4)
		token, _ := s.sim.MintToken(words[0], allScopes())
		if w := s.direct(words[1], "/ex/confluence/"+s.sites[0].CloudID+"/wiki"+words[2], token, []byte(words[3])); w.Code >= 300 {
			s.t.Fatalf("%s: %d %s", line, w.Code, w.Body)
		}
	case "fail":
		status, err := strconv.Atoi(words[2])
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		s.sim.Fail(1, atlassiansim.Fault{Method: words[0], Path: words[1], Status: status, Body: "<html>FOREIGN BYTES</html>"})
	case "drop":
		s.sim.Fail(1, atlassiansim.Fault{Method: words[0], Path: words[1], After: true, Drop: true})
	case "person":
		s.person, s.caller = words[0], signedIn(identity.PersonID("p_"+words[0]))
	case "scopes":
		s.scopes, s.token = words, map[string]string{}
	case "deny":
		s.deny(words...)
	case "guest":
		s.caller = identity.Caller{Device: "device", Stream: "stream"}
	case "revoked":
		s.liveErr = gone()
	case "broken":
		s.auditErr = outage()
	case "toolsets":
		s.toolsets, s.scopes, s.token = words, append(allScopes(), toolsetScopes()...), map[string]string{}
		s.start()
		s.c = s.connect()
	case "many":
		s.sim.CreatePages(words[0], 30)
	default:
		s.t.Fatalf("%s: no such step", line)
	}
}

// quoted reads a quoted title and a quoted body.
func quoted(t testing.TB, text string) (title, body string) {
	t.Helper()
	first, err := strconv.QuotedPrefix(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	title, _ = strconv.Unquote(first)
	if body, err = strconv.Unquote(strings.TrimSpace(text[len(first):])); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return title, body
}

func (s *script) show(line string, a answer) {
	fmt.Fprintln(&s.out, line)
	if a.IsError {
		s.out.WriteString("refused\n")
	}
	if len(a.Structured) > 0 {
		s.out.WriteString(indent(a.Structured) + "\n")
		if found := lastObject.FindSubmatch(a.Structured); found != nil {
			s.last = string(found[1])
		}
		if next := a.field("next_cursor"); next != "<nil>" {
			s.cursor = next
		}
		s.ids["last"] = a.field("id")
	}
	if _, token, asked := strings.Cut(a.text(), "\nconfirm: "); asked {
		s.confirm = strings.TrimSpace(token)
	}
	for text := range strings.Lines(a.text()) {
		s.out.WriteString("| " + strings.TrimSuffix(text, "\n") + "\n")
	}
	for _, request := range s.requests[s.seen:] {
		s.out.WriteString("> " + request + "\n")
	}
	s.seen = len(s.requests)
	for _, e := range s.audited[s.logged:] {
		fmt.Fprintf(&s.out, "# %s %s %s %s", e.Event, e.Outcome, e.Tool, strings.Join(e.Objects, " "))
		for _, more := range []string{e.Code, e.Detail} {
			if more != "" {
				s.out.WriteString(", " + more)
			}
		}
		s.out.WriteString("\n")
	}
	s.logged = len(s.audited)
	s.out.WriteString("\n")
}

func indent(data json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return string(data)
	}
	return out.String()
}
