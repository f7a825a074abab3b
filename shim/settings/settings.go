// Package settings finds the shim's settings: defaults, then the user's file,
// then COATCHECK_… variables, then flags, each stronger than the one before,
// and above them all what the company manages, which locks. The usual
// HTTPS_PROXY and NO_PROXY count where nothing else names a proxy. It
// remembers where each value came from, and reports everything that is wrong
// at once, with lines.
//
// The company's policy is a file on Linux and macOS and a registry key on
// Windows. The managed preferences of macOS are not read yet: they are a
// property list, and come with the installer that writes them.
//
// Nothing is read after [Load]: a shim lives as long as its client.
package settings

import (
	"log/slog"
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
)

// Source is where a value came from, in words for people.
type Source string

// The sources, from the weakest to the strongest.
const (
	Default     Source = "default"
	System      Source = "system environment" // HTTPS_PROXY and the like
	File        Source = "file"
	Environment Source = "environment"
	Flag        Source = "flag"
	Policy      Source = "managed policy"
)

// Settings is what a shim is told. Its zero value is no usable one.
type Settings struct {
	Vault     *url.URL // the pinned origin; nil while there is none
	Proxy     secret.String
	NoProxy   string
	CAFile    string
	KeyStore  device.Store
	LogLevel  slog.Level
	LogDir    string // "" writes no log file
	NoBrowser bool
	// FileFolders are where files may be, besides the folders of the client; with
	// OnlyFolders not those. NoFiles is none at all.
	FileFolders []string
	OnlyFolders bool
	NoFiles     bool

	// Values lists every setting with its source, in the order of [Keys].
	Values []Value
	// Notes says in sentences what was not followed, such as a flag that the
	// policy overrules.
	Notes []string
}

// Value is one setting as shown to people. Text has no password.
type Value struct {
	Key    string
	Text   string
	Source Source
	Where  string // file and line, variable, flag or registry key
}

// Input is what [Load] looks at.
type Input struct {
	Places Places
	// File is a settings file that was asked for by name, and must be there; ""
	// is the one of [Places], which need not.
	File string
	// Lookup finds a variable of the environment.
	Lookup func(name string) (string, bool)
	// Flags has the flags that were given, by key.
	Flags map[string]string
}

// raw is a value as it was found.
type raw struct {
	text   string
	source Source
	where  string
}

// Load reads all sources. The settings are never nil and hold whatever was
// usable; the error, if any, is an [*Error] with all that was not.
func Load(in Input) (*Settings, error) {
	l := loader{in: in, found: map[string]raw{}}
	l.policy()
	l.file()
	l.environment()
	l.flags()
	s := l.settle()
	if len(l.problems) > 0 {
		return s, newError(l.problems, in)
	}
	return s, nil
}

type loader struct {
	in       Input
	locked   map[string]raw
	found    map[string]raw
	problems []Problem
	notes    []string
}

func (l *loader) policy() {
	found, problems := readPolicy(l.in.Places.Policy)
	l.locked = found
	l.problems = append(l.problems, problems...)
}

func (l *loader) file() {
	name, must := l.in.File, true
	if name == "" {
		name, must = l.in.Places.File, false
	}
	found, problems := readFile(name, File, must)
	l.problems = append(l.problems, problems...)
	for key, value := range found {
		l.offer(key, value)
	}
}

func (l *loader) environment() {
	if l.in.Lookup == nil {
		return
	}
	for _, key := range Keys() {
		if text, ok := l.in.Lookup(key.Env); ok && text != "" {
			l.offer(key.Name, raw{text, Environment, key.Env})
			continue
		}
		for _, name := range key.system {
			text, ok := l.in.Lookup(name)
			if _, known := l.found[key.Name]; ok && text != "" && !known {
				l.offer(key.Name, raw{text, System, name})
			}
		}
	}
}

func (l *loader) flags() {
	for _, key := range Keys() {
		if text, ok := l.in.Flags[key.Name]; ok {
			l.offer(key.Name, raw{text, Flag, "--" + key.Flag})
		}
	}
}

// offer takes a value over weaker ones, unless the policy has one.
func (l *loader) offer(key string, value raw) {
	locked, ok := l.locked[key]
	if !ok {
		if weaker, ok := l.found[key]; ok { // it is not used, but it is wrong all the same
			l.try(key, weaker, &Settings{})
		}
		l.found[key] = value
		return
	}
	if value.source != System && value.text != locked.text {
		l.notes = append(l.notes, key+" from "+value.where+" is not used: your company manages it ("+locked.where+")")
	}
}

// settle reads the strongest value of each key into settings.
func (l *loader) settle() *Settings {
	s := &Settings{KeyStore: device.StoreAuto, LogLevel: slog.LevelInfo, LogDir: l.in.Places.Logs}
	for _, key := range Keys() {
		value, ok := l.locked[key.Name]
		if !ok {
			value, ok = l.found[key.Name]
		}
		if !ok {
			value = raw{source: Default}
			if key.Name == keyVault {
				l.problems = append(l.problems, Problem{Key: keyVault, Text: "no vault is named"})
			}
		} else {
			l.try(key.Name, value, s)
			s.OnlyFolders = s.OnlyFolders || key.Name == keyFolders && value.source == Policy
		}
		s.Values = append(s.Values, Value{Key: key.Name, Text: key.show(s), Source: value.source, Where: value.where})
	}
	s.Notes = l.notes
	return s
}

// try reads one value into s, or notes what is wrong with it.
func (l *loader) try(name string, value raw, s *Settings) {
	key, _ := find(name)
	text := strings.TrimSpace(value.text)
	err := key.read(s, text)
	if err == nil && value.source == Flag && name == keyProxy && strings.Contains(text, "@") {
		err = errPasswordInFlag
	}
	if err != nil {
		l.problems = append(l.problems, Problem{Key: name, Where: value.where, Text: err.Error()})
	}
}
