package files

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// find opens what the vault asks for, if it may have it.
func (d *Desk) find(open wire.FileOpen) (handle, error) {
	message, running := d.cfg.Call(open.Call)
	if !running {
		return nil, usererr.New(usererr.NotFound, "The call that names the file has ended", "")
	}
	if d.cfg.Rules.Off {
		return nil, usererr.New(usererr.Denied, "Files of this computer are switched off in the settings of Coatcheck",
			"Ask who looks after this computer, or see 'coatcheck status'")
	}
	overwrite, err := permit(message, open)
	if err != nil {
		return nil, err
	}
	path, err := plain(open.Path)
	if err != nil {
		return nil, err
	}
	at, err := d.place(path, open)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(at.folder)
	if err != nil {
		return nil, refused(usererr.NotFound, at.folder, cause(err), "")
	}
	if leadsToHidden(root, at.rel) {
		_ = root.Close()
		return nil, notHidden(at.asked)
	}
	if open.Mode == wire.FileWrite {
		return create(root, at, open, overwrite)
	}
	return read(root, at)
}

// place is a path below a folder that is allowed.
type place struct {
	folder string // as the file system knows it
	rel    string // below it
	asked  string // as the call has it
}

// plain turns a file URL into a path and refuses what is on another computer.
func plain(path string) (string, error) {
	if strings.HasPrefix(strings.ToLower(path), "file:") {
		local, ok := localURI(path)
		if !ok {
			return "", refused(usererr.BadInput, path, "this is no file of this computer", "Give the path of the file")
		}
		path = local
	}
	if strings.HasPrefix(path, `\\`) || strings.HasPrefix(path, "//") || strings.ContainsRune(path, 0) {
		return "", refused(usererr.Denied, path, "paths of other computers and of devices are not used", "Give the path of a file of this computer")
	}
	return path, nil
}

// localURI reads the path of a file URI that names no other computer.
func localURI(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "file") || u.Host != "" && u.Host != "localhost" || u.Opaque != "" || u.User != nil || u.Path == "" {
		return "", false
	}
	path := u.Path
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.FromSlash(path), filepath.IsAbs(filepath.FromSlash(path))
}

// place finds the allowed folder that path is in. The client is asked for its
// own each time: it may have others by now.
func (d *Desk) place(path string, open wire.FileOpen) (place, error) {
	allowed := folders(d.cfg.Rules.Folders)
	found, err := look(allowed, path, open.Path)
	if err != nil || found.folder != "" {
		return found, err
	}
	if d.cfg.Roots != nil && !d.cfg.Rules.Only {
		var own []string
		for _, uri := range d.cfg.Roots(d.ctx, open.Call) {
			if path, ok := localURI(uri); ok {
				own = append(own, path)
			}
		}
		more := folders(own)
		if found, err = look(more, path, open.Path); err != nil || found.folder != "" {
			return found, err
		}
		allowed = append(more, allowed...)
	}
	if len(allowed) == 0 {
		return place{}, usererr.New(usererr.Denied, "No folder of this computer is allowed for files",
			"Name some in file_folders in the settings file of Coatcheck ('coatcheck status' says where it is), or open a folder in the client")
	}
	var names []string
	for _, folder := range allowed {
		names = append(names, shown(folder.said))
	}
	return place{}, refused(usererr.Denied, open.Path, "this is in none of the folders that are allowed, or is not there",
		"Allowed are "+strings.Join(names[:min(len(names), 8)], ", "))
}

// look finds path in one of some folders; without an error, a place without a
// folder is none.
func look(allowed []folder, path, asked string) (place, error) {
	for _, folder := range allowed {
		for _, candidate := range []string{path, resolved(path)} {
			rel, ok := below(folder, candidate)
			if !ok {
				continue
			}
			if hidden(rel) {
				return place{}, notHidden(asked)
			}
			if !filepath.IsAbs(path) && !exists(folder, rel) {
				continue // perhaps in the next one
			}
			return place{folder.real, rel, asked}, nil
		}
	}
	return place{}, nil
}

// folder is an allowed folder.
type folder struct{ said, real string }

func folders(paths []string) []folder {
	var found []folder
	for _, path := range paths {
		path = filepath.Clean(path)
		// A whole disk is no folder that anybody chose for this.
		if !filepath.IsAbs(path) || filepath.Dir(path) == path || strings.HasPrefix(path, `\\`) {
			continue
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil || filepath.Dir(real) == real || slices.Contains(found, folder{path, real}) {
			continue
		}
		found = append(found, folder{path, real})
	}
	return found
}

// below is path as seen from folder, "." for itself.
func below(f folder, path string) (string, bool) {
	if !filepath.IsAbs(path) {
		rel := filepath.Clean(path)
		return rel, path != "" && filepath.IsLocal(rel)
	}
	for _, base := range []string{f.said, f.real} {
		if rel, ok := within(base, filepath.Clean(path)); ok {
			return rel, true
		}
	}
	return "", false
}

func within(base, path string) (string, bool) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" { // which mostly do not tell cases apart
		if len(path) >= len(base) && strings.EqualFold(path[:len(base)], base) {
			path = base + path[len(base):]
		}
	}
	rel, err := filepath.Rel(base, path)
	return rel, err == nil && filepath.IsLocal(rel)
}

// resolved is path without symbolic links in the folders above it, which a
// path such as /tmp has on some systems. It leads nowhere that os.Root does not
// check again. Windows would ask other computers on the way.
func resolved(path string) string {
	if runtime.GOOS == "windows" || !filepath.IsAbs(path) {
		return path
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(dir, filepath.Base(path))
}

func exists(f folder, rel string) bool {
	root, err := os.OpenRoot(f.real)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }()
	_, err = root.Stat(rel)
	return err == nil
}

// hidden reports whether a part of a path begins with a dot: keys, settings
// and the insides of repositories are there.
func hidden(rel string) bool { return slices.ContainsFunc(parts(rel), hiddenPart) }

func parts(rel string) []string { return strings.Split(filepath.ToSlash(rel), "/") }

func hiddenPart(part string) bool {
	return strings.HasPrefix(part, ".") && part != "." || runtime.GOOS == "windows" && alias(part)
}

// alias reports whether a name looks like the short one that Windows gives to
// another, and with that to names that begin with a dot.
func alias(part string) bool {
	stem, ending, _ := strings.Cut(part, ".")
	head, number, ok := strings.Cut(stem, "~")
	return ok && len(head) <= 6 && len(ending) <= 3 && number != "" && strings.Trim(number, "0123456789") == ""
}

// maxLinks is how many symbolic links one path may have.
const maxLinks = 40

// leadsToHidden reports whether the symbolic links of a path below root lead
// through what is hidden there: a repository that somebody else made may have
// such. Where they lead out is for os.Root to refuse.
func leadsToHidden(root *os.Root, rel string) bool {
	left, at, links := parts(rel), ".", 0
	for len(left) > 0 {
		part := left[0]
		left = left[1:]
		switch {
		case part == ".." || part == "." || part == "":
			at = filepath.Join(at, part)
			continue
		case hiddenPart(part):
			return true
		}
		next := filepath.Join(at, part)
		target, err := root.Readlink(next)
		if err != nil {
			at = next // no link
			continue
		}
		if links++; links > maxLinks {
			return true
		}
		left = append(parts(target), left...)
	}
	return false
}

func notHidden(asked string) error {
	return refused(usererr.Denied, asked, "hidden files and folders are not used", "Copy the file to a folder that is not hidden")
}

// shown is a path fit for a sentence.
func shown(path string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, path)
	if runes := []rune(clean); len(runes) > 300 {
		return "…" + string(runes[len(runes)-300:])
	}
	return clean
}
