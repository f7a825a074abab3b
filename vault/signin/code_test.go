package signin_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

var codeOnPage = regexp.MustCompile(`Your code is ([A-Z]{4}-[A-Z]{4})<`)

// terminal is a process on a computer without a browser.
func (d *device) terminal() *shim {
	d.r.t.Helper()
	s := d.shim("terminal")
	s.code = true
	return s
}

// toCode leads a browser to the page with the code, and returns both.
func (s *shim) toCode(p *person) (page, code string) {
	t := p.r.t
	t.Helper()
	page = s.start().URL
	_, onward := p.click(page, "continue", nil)
	if status, _ := p.get(p.atAtlassian(between(onward, `class="primary" href="`, `"`))); status != http.StatusSeeOther || p.last.Header.Get("Location") != strings.TrimPrefix(page, p.r.url) {
		t.Fatalf("the callback was answered %d to %q", status, p.last.Header.Get("Location"))
	}
	_, text := p.get(page)
	p.friendly(text)
	found := codeOnPage.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("the page has no code: %s", text)
	}
	return page, found[1]
}

func (s *shim) typeCode(code string) (wire.LoginFinished, wire.Problem, int) {
	s.r.t.Helper()
	var done wire.LoginFinished
	status, problem := s.post(wire.LoginFinishPath, wire.LoginFinish{Start: s.started.Start, Ticket: code, Verifier: s.verifier}, &done)
	return done, problem, status
}

// TestSignInByCode has a person copy a code from any browser to a terminal.
func TestSignInByCode(t *testing.T) {
	r := newRig(t, rigOptions{byCode: true})
	s, p := r.device().terminal(), &person{r: r}
	if _, problem, status := func() (wire.LoginFinished, wire.Problem, int) { s.start(); return s.typeCode("BCDFGHJK") }(); status != http.StatusBadRequest || !strings.Contains(problem.Message, "no code yet") {
		t.Errorf("a code that was typed too soon was answered %d %+v", status, problem)
	}
	page, code := s.toCode(p)
	stranger := &person{r: r}
	if _, text := stranger.get(page); codeOnPage.MatchString(text) {
		t.Error("another browser is shown the code")
	}
	r.restart(rigOptions{byCode: true})
	if _, problem, status := s.typeCode("BBBB-BBBB"); status != http.StatusBadRequest || !strings.Contains(problem.Message, "not the code") {
		t.Errorf("a wrong code was answered %d %+v", status, problem)
	}
	done, problem, status := s.typeCode(" " + strings.ToLower(strings.Replace(code, "-", " ", 1)) + "\t")
	if status != http.StatusOK || !done.OK {
		t.Fatalf("the code was answered %d %+v", status, problem)
	}
	if _, text := p.get(page); !strings.Contains(text, "You are signed in") {
		t.Errorf("the page says %s", text)
	}
	if again, _, status := s.typeCode(code); status != http.StatusOK || again != done {
		t.Errorf("the same again was answered %d %+v", status, again)
	}
	if diff := cmp.Diff([]string{"login.started", "grant.issued", "login.done"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	r.leaks(s.verifier, code, strings.Replace(code, "-", "", 1))
}

// TestCodesThatAreGuessed ends the login after the fifth.
func TestCodesThatAreGuessed(t *testing.T) {
	r := newRig(t, rigOptions{byCode: true})
	s, p := r.device().terminal(), &person{r: r}
	page, code := s.toCode(p)
	thief := r.device()
	var nothing wire.LoginFinished
	if status, _ := thief.post(wire.LoginFinishPath, wire.LoginFinish{Start: s.started.Start, Ticket: code, Verifier: s.verifier}, &nothing); status != http.StatusUnauthorized {
		t.Errorf("the code and verifier from another device were answered %d", status)
	}
	for i := range 5 {
		if _, problem, status := s.typeCode("BBBBBBBB"); i < 4 && status != http.StatusBadRequest || i == 4 && (status != http.StatusForbidden || !strings.Contains(problem.Message, "too often")) {
			t.Errorf("wrong code %d was answered %d %+v", i, status, problem)
		}
	}
	if _, _, status := s.typeCode(code); status == http.StatusOK {
		t.Error("the right code counts after five wrong ones")
	}
	if _, text := p.get(page); !strings.Contains(text, "wrong too often") {
		t.Errorf("the page says %s", text)
	}
	r.nothingStored()
	r.noCode()
}

// TestCodesThatAreNotAllowed are refused at once, and at the end if they were
// allowed meanwhile.
func TestCodesThatAreNotAllowed(t *testing.T) {
	r := newRig(t, rigOptions{})
	s := r.device().terminal()
	if status, problem := s.post(wire.LoginStartPath, s.ask(), &s.started); status != http.StatusForbidden || !strings.Contains(problem.Message, "not allowed") {
		t.Fatalf("starting was answered %d %+v", status, problem)
	}
	r.restart(rigOptions{byCode: true})
	page := s.start().URL
	p := &person{r: r}
	if _, text := p.get(page); !strings.Contains(text, "in a terminal on ada-server, just now") || !strings.Contains(text, "tell it to nobody") || strings.Contains(text, "on this computer") {
		t.Errorf("the page says %s", text)
	}
	_, onward := p.click(page, "continue", nil)
	r.restart(rigOptions{})
	_, _ = p.get(p.atAtlassian(between(onward, `class="primary" href="`, `"`)))
	if _, text := p.get(page); !strings.Contains(text, "not allowed") || codeOnPage.MatchString(text) {
		t.Errorf("the page says %s", text)
	}
	r.nothingStored()
	r.noCode()
}

// TestCodesThatAreNotAllowedAtTheClick end the login before anybody goes to
// Atlassian.
func TestCodesThatAreNotAllowedAtTheClick(t *testing.T) {
	r := newRig(t, rigOptions{byCode: true})
	s, p := r.device().terminal(), &person{r: r}
	page := s.start().URL
	r.restart(rigOptions{})
	if status, _ := p.click(page, "continue", nil); status != http.StatusSeeOther {
		t.Errorf("the click was answered %d", status)
	}
	if _, text := p.get(page); !strings.Contains(text, "not allowed") {
		t.Errorf("the page says %s", text)
	}
	if diff := cmp.Diff([]string{"login.started", "login.failed"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	if told := r.streams.told(); len(told) != 1 || told[0].OK {
		t.Errorf("the device was told %+v", told)
	}
	r.nothingStored()
}

// TestACodeThatIsLate is not taken.
func TestACodeThatIsLate(t *testing.T) {
	r := newRig(t, rigOptions{byCode: true})
	s, p := r.device().terminal(), &person{r: r}
	_, code := s.toCode(p)
	r.late()
	if _, problem, status := s.typeCode(code); status != http.StatusGone {
		t.Errorf("a late code was answered %d %+v", status, problem)
	}
	r.nothingStored()
}
