// Package policy says what is allowed: which spaces a person of this company
// may reach through the vault, how a search is narrowed to them, and which
// files may be moved. Pure
// functions over compiled settings: no network, no clock, no randomness.
//
// Whatever cannot be decided is denied. A denial beats a permission.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrDenied is returned for whatever the rules forbid.
var ErrDenied = errors.New("denied by policy")

// Access is the settings group of the same name.
type Access struct {
	// AllowedSpaces, when not empty, are the only spaces that can be reached.
	AllowedSpaces []string `yaml:"allowed_spaces" json:"allowed_spaces,omitempty"`
	// DeniedSpaces cannot be reached, allowed or not.
	DeniedSpaces []string `yaml:"denied_spaces" json:"denied_spaces,omitempty"`
	// ReadOnly lets nothing be changed at all.
	ReadOnly bool `yaml:"read_only" json:"read_only,omitempty"`
	// ReadOnlySpaces are those in which nothing is changed.
	ReadOnlySpaces []string `yaml:"read_only_spaces" json:"read_only_spaces,omitempty"`
}

// Rules are the settings that a policy is compiled from.
type Rules struct {
	Access      Access
	StepUp      StepUp
	Attachments Attachments
	NoFiles     bool // files are switched off
}

// Policy is a compiled set of rules. It never changes and may be used from
// many goroutines. A nil Policy denies everything.
type Policy struct {
	allowed []string // folded keys, sorted; empty: any that is not denied
	denied  []string
	stepUp  StepUp
	files   files

	readOnly       bool
	readOnlySpaces []string // folded keys, sorted
}

// MaxSpaces limits each list of spaces, since each is part of every search.
const MaxSpaces = 200

const maxSpaceKey = 255 // characters, besides a first ~

// New compiles rules and reports everything that is wrong with them at once.
func New(rules Rules) (*Policy, error) {
	allowed, err1 := keys("access.allowed_spaces", rules.Access.AllowedSpaces)
	denied, err2 := keys("access.denied_spaces", rules.Access.DeniedSpaces)
	readOnly, err3 := keys("access.read_only_spaces", rules.Access.ReadOnlySpaces)
	stepUp := rules.StepUp.withDefaults()
	files, err4 := compileFiles(rules.Attachments, rules.NoFiles)
	if err := errors.Join(err1, err2, err3, err4, stepUp.check()); err != nil {
		return nil, err
	}
	return &Policy{
		allowed: allowed, denied: denied, stepUp: stepUp, files: files,
		readOnly: rules.Access.ReadOnly, readOnlySpaces: readOnly,
	}, nil
}

func keys(name string, list []string) ([]string, error) {
	var problems []error
	if len(list) > MaxSpaces {
		problems = append(problems, fmt.Errorf("%s: %d spaces, more than %d", name, len(list), MaxSpaces))
	}
	var folded []string
	for _, key := range list {
		if !ValidSpaceKey(key) {
			problems = append(problems, fmt.Errorf("%s: %q is not a space key", name, key))
			continue
		}
		folded = append(folded, Fold(key))
	}
	slices.Sort(folded)
	return slices.Compact(folded), errors.Join(problems...)
}

// Fold brings a space key into the one form that is compared: Confluence
// treats keys that differ in case as one.
func Fold(key string) string { return strings.ToUpper(key) }

// ValidSpaceKey reports whether key has the form of a space key.
func ValidSpaceKey(key string) bool {
	name := strings.TrimPrefix(key, "~")
	if name == "" || len(name) > maxSpaceKey || strings.IndexByte("_.:@-", name[0]) >= 0 {
		return false
	}
	for _, b := range []byte(name) {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("_.:@-", b) >= 0) {
			return false
		}
	}
	return true
}

// Space returns nil when objects of the space may be reached and
// [ErrDenied] otherwise, for an unknown ("") or malformed key as well.
func (p *Policy) Space(key string) error {
	if p == nil || !ValidSpaceKey(key) {
		return ErrDenied
	}
	folded := Fold(key)
	if _, found := slices.BinarySearch(p.denied, folded); found {
		return ErrDenied
	}
	if len(p.allowed) == 0 {
		return nil
	}
	if _, found := slices.BinarySearch(p.allowed, folded); !found {
		return ErrDenied
	}
	return nil
}

// Change returns nil when a call that has to do with these spaces may change
// something, and [ErrDenied] otherwise.
func (p *Policy) Change(spaces []string) error {
	if p == nil || p.readOnly {
		return ErrDenied
	}
	for _, key := range spaces {
		if _, found := slices.BinarySearch(p.readOnlySpaces, Fold(key)); found {
			return ErrDenied
		}
	}
	return nil
}
