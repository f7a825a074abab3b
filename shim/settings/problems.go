package settings

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Key   string // "" where it is not about one
	Where string // such as "/home/ada/.config/coatcheck/config.yaml:3"
	Text  string
}

// String is the problem in one line.
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{p.Where, p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Error is everything that is wrong with the settings. It unwraps to a user
// error that says the same in a sentence.
type Error struct {
	Problems []Problem
	hint     string
}

func newError(problems []Problem, in Input) *Error {
	hint := "Mend the settings and restart the program that started coatcheck"
	if file := in.Places.File; file != "" && unnamed(problems) {
		hint = `Put a line such as "vault_url: https://vault.example.com" into ` + file +
			", or set COATCHECK_VAULT_URL, or add --vault URL where your MCP client starts coatcheck; the address comes from your administrator"
	}
	return &Error{Problems: inOrder(problems), hint: hint}
}

// inOrder sorts the problems of each file by their lines.
func inOrder(problems []Problem) []Problem {
	rank := map[string]int{} // of files, as they were read
	for _, p := range problems {
		if file, _ := p.spot(); rank[file] == 0 {
			rank[file] = len(rank) + 1
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		fileA, lineA := a.spot()
		fileB, lineB := b.spot()
		return cmp.Or(cmp.Compare(rank[fileA], rank[fileB]), cmp.Compare(lineA, lineB))
	})
	return problems
}

// spot splits Where into file and line.
func (p Problem) spot() (file string, line int) {
	i := strings.LastIndexByte(p.Where, ':')
	if i < 0 {
		return p.Where, 0
	}
	line, err := strconv.Atoi(p.Where[i+1:])
	if err != nil {
		return p.Where, 0
	}
	return p.Where[:i], line
}

// unnamed reports whether the only problem is that no vault is named.
func unnamed(problems []Problem) bool {
	return len(problems) == 1 && problems[0].Key == keyVault && problems[0].Where == ""
}

// Error lists all problems in one line, for a log.
func (e *Error) Error() string { return "settings: " + strings.Join(e.lines(), "; ") }

func (e *Error) lines() []string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return lines
}

// Unwrap gives the [*usererr.Error].
func (e *Error) Unwrap() error {
	message := "The settings of coatcheck on this computer are wrong: " + strings.Join(e.lines(), "; ")
	if unnamed(e.Problems) {
		message = "coatcheck does not know its vault yet"
	}
	return usererr.New(usererr.Settings, message, e.hint)
}

// Text lists the problems for a terminal, one a line, and what to do.
func (e *Error) Text() string {
	if unnamed(e.Problems) {
		return "no vault is named yet.\n" + e.hint + ".\n"
	}
	return "the settings are wrong:\n  " + strings.Join(e.lines(), "\n  ") + "\n" + e.hint + ".\n"
}

// OnlyVault reports whether nothing but the vault's address is wrong or
// missing. A client can still be answered then.
func (e *Error) OnlyVault() bool {
	for _, p := range e.Problems {
		if p.Key != keyVault {
			return false
		}
	}
	return true
}
