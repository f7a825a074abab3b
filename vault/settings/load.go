package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const maxFile = 1 << 20

// Options say where settings come from.
type Options struct {
	// Files are looked for in order; the first that exists is read. With
	// Required, all of them missing is an error, as it always is for a vault
	// that is to run.
	Files []string
	// Environ is the environment, as NAME=value.
	Environ []string
}

// Load reads the settings. Its error is a user error with code Settings that
// lists every problem.
func Load(opt Options) (*Settings, error) {
	name, text, err := find(opt.Files)
	if err != nil {
		return nil, err
	}
	s := &Settings{sources: map[string]string{}, Dir: filepath.Dir(name), Features: Features{Attachments: true}}
	r := &reader{file: filepath.Base(name), sources: s.sources}
	if !r.parse(text, s) {
		return nil, failure(name, r.problems) // the rest would follow from it
	}
	env := split(opt.Environ)
	r.environment(reflect.ValueOf(s).Elem(), "", env)
	s.Warnings = unknown(env, r.known)
	s.fill()
	s.check(r)
	s.resolve(r, env)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b problem) int { return a.line - b.line })
		return nil, failure(name, r.problems)
	}
	return s, nil
}

// problem is one thing that is wrong; line is 0 where there is none.
type problem struct {
	line int
	text string
}

func failure(name string, problems []problem) error {
	var b strings.Builder
	fmt.Fprintf(&b, "The settings have %d problem", len(problems))
	if len(problems) > 1 {
		b.WriteByte('s')
	}
	b.WriteByte(':')
	for _, p := range problems {
		b.WriteString("\n  ")
		if p.line > 0 {
			fmt.Fprintf(&b, "%s:%d: ", filepath.Base(name), p.line)
		}
		b.WriteString(p.text)
	}
	b.WriteByte('\n')
	return usererr.New(usererr.Settings, b.String()+"Nothing was started", "Mend "+name+" and try again; coatcheck-vault check-config shows what is in force")
}

// find reads the first file that exists.
func find(files []string) (name string, text []byte, err error) {
	for _, name := range files {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, usererr.Wrap(err, usererr.Settings, "The settings in "+name+" cannot be read", "Check that the file belongs to the user that runs the vault")
		}
		defer func() { _ = f.Close() }() // it was only read
		text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil || len(text) > maxFile {
			return "", nil, usererr.Wrap(err, usererr.Settings, "The settings in "+name+" cannot be read, or are larger than 1 MiB", "Check the file")
		}
		name, err = filepath.Abs(name)
		return name, text, err
	}
	absent := " does not exist"
	if len(files) > 1 {
		absent = " do not exist"
	}
	return "", nil, usererr.New(usererr.Settings, "There are no settings: "+strings.Join(files, " and ")+absent,
		"Write vault.yaml (the README has a sample), or name another file with --config; to look around without settings run: coatcheck-vault demo")
}

// reader fills settings and collects what is wrong.
type reader struct {
	file     string
	problems []problem
	sources  map[string]string
	known    map[string]bool // names of environment variables that mean something
	lines    map[string]int  // key -> line
}

func (r *reader) wrong(line int, format string, args ...any) {
	r.problems = append(r.problems, problem{line, fmt.Sprintf(format, args...)})
}

// at reports a problem with the value of key, or with its being left out.
func (r *reader) at(key, format string, args ...any) {
	line := r.lines[key]
	from := ""
	if source := r.sources[key]; line == 0 && source != "" {
		from = " (from " + source + ")"
	} else {
		line = r.nearest(key)
	}
	r.wrong(line, "%s%s: %s", key, from, fmt.Sprintf(format, args...))
}

// nearest is the line of key, or of the section that it would belong into.
func (r *reader) nearest(key string) int {
	for r.lines[key] == 0 {
		end := strings.LastIndexByte(key, '.')
		if end < 0 {
			return 0
		}
		key = key[:end]
	}
	return r.lines[key]
}

// parse returns false for what is no YAML.
func (r *reader) parse(text []byte, s *Settings) bool {
	r.lines = map[string]int{}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return true // empty: everything may come from the environment
	case err != nil:
		r.wrong(0, "%s is not YAML: %s", r.file, strings.TrimPrefix(err.Error(), "yaml: "))
		return false
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.wrong(0, "%s has more than one document", r.file)
	}
	r.node(reflect.ValueOf(s).Elem(), doc.Content[0], "")
	return true
}
