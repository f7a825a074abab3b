package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Attachments is the settings group governance.attachments: which files may be
// moved to and from Confluence, or looked at. A kind is the ending of a name
// (.exe, .tar.gz) or a media type (application/pdf, image/*).
type Attachments struct {
	// AllowedTypes, when not empty, are the only kinds of files there are.
	AllowedTypes []string `yaml:"allowed_types" json:"allowed_types,omitempty"`
	// DeniedTypes are kinds that there are not, allowed or not.
	DeniedTypes []string `yaml:"denied_types" json:"denied_types,omitempty"`
	// MaxMiB is how large a file may be, in MiB; 0 is without limit.
	MaxMiB int `yaml:"max_mib" json:"max_mib,omitempty"`
}

// File is what is known of a file. An empty MediaType is an unknown one; a Size
// of 0 is one that does not matter, since nothing of the file is moved.
type File struct {
	Name, MediaType string
	Size            int64
}

// FileError says why a file is denied. It wraps [ErrDenied].
type FileError struct {
	Problem string // a clause such as "files are switched off here"
	Off     bool   // no file may be seen
}

// Error implements error.
func (e *FileError) Error() string { return ErrDenied.Error() + ": " + e.Problem }

// Unwrap returns [ErrDenied].
func (e *FileError) Unwrap() error { return ErrDenied }

var kindOfFile = regexp.MustCompile(`^(?:\.[^\s/\\.][^\s/\\]*|[a-z0-9][a-z0-9.+_-]*/(?:\*|[a-z0-9][a-z0-9.+_-]*))$`)

const (
	maxKinds  = 200
	maxMiB    = 1 << 20 // a TiB
	maxEnding = 64
)

func kinds(name string, list []string) ([]string, error) {
	var problems []error
	if len(list) > maxKinds {
		problems = append(problems, fmt.Errorf("%s: %d kinds, more than %d", name, len(list), maxKinds))
	}
	folded := make([]string, 0, len(list))
	for _, kind := range list {
		lower := strings.ToLower(kind)
		if len(kind) > 2*maxEnding || !kindOfFile.MatchString(lower) || strings.HasSuffix(lower, ".") {
			problems = append(problems, fmt.Errorf("%s: %q is neither the ending of a name, such as .exe, nor a media type, such as application/pdf or image/*", name, kind))
			continue
		}
		folded = append(folded, lower)
	}
	return folded, errors.Join(problems...)
}

// files are the compiled rules about files.
type files struct {
	off             bool
	allowed, denied []string // folded
	max             int64    // bytes; 0 is without limit
}

func compileFiles(a Attachments, off bool) (files, error) {
	allowed, err1 := kinds("governance.attachments.allowed_types", a.AllowedTypes)
	denied, err2 := kinds("governance.attachments.denied_types", a.DeniedTypes)
	var err3 error
	if a.MaxMiB < 0 || a.MaxMiB > maxMiB {
		err3 = fmt.Errorf("governance.attachments.max_mib: must be from 0, which is no limit, to %d", maxMiB)
	}
	return files{off, allowed, denied, int64(a.MaxMiB) << 20}, errors.Join(err1, err2, err3)
}

// File returns nil when a file may be seen and moved, else a [FileError]. What
// rules need and is not known is denied.
func (p *Policy) File(f File) error {
	if p == nil {
		return ErrDenied
	}
	switch rules := p.files; {
	case rules.off:
		return &FileError{Problem: "files are switched off here", Off: true}
	case f.kindIn(rules.denied, true), len(rules.allowed) > 0 && !f.kindIn(rules.allowed, false):
		return &FileError{Problem: "files of this kind are not allowed here"}
	case rules.max > 0 && (f.Size > rules.max || f.Size < 0):
		return &FileError{Problem: fmt.Sprintf("files of more than %d MiB are not allowed here", rules.max>>20)}
	}
	return nil
}

// kindIn reports whether the file is of one of kinds. Unknown is what is said of
// a media type that is not known.
func (f File) kindIn(kinds []string, unknown bool) bool {
	// Windows leaves out what stands at the end here, and what is behind a colon.
	name, _, _ := strings.Cut(strings.ToLower(f.Name), ":")
	name = strings.TrimRight(name, ". \t")
	mediaType, _, _ := strings.Cut(strings.ToLower(f.MediaType), ";")
	mediaType = strings.TrimSpace(mediaType)
	return slices.ContainsFunc(kinds, func(kind string) bool {
		if strings.HasPrefix(kind, ".") {
			return strings.HasSuffix(name, kind)
		}
		if mediaType == "" {
			return unknown
		}
		family, all := strings.CutSuffix(kind, "*")
		return mediaType == kind || all && strings.HasPrefix(mediaType, family)
	})
}
