package media

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// small is how many bytes of a file are kept in memory; larger ones are in a
// file that the system forgets when the simulator ends.
const small = 1 << 20

// File is an attachment of a page, as it was when asked for.
type File struct {
	ID       int64
	Site     string // cloud id
	Page     int64
	Name     string
	Trashed  bool
	Versions []Version // at least one; the last is the newest
}

// Newest is the last version.
func (f *File) Newest() Version { return f.Versions[len(f.Versions)-1] }

// Version is one version of a file. It never changes.
type Version struct {
	Number    int
	MediaType string
	Comment   string
	Minor     bool
	Author    string // account id
	Created   time.Time
	Size      int64
	SHA256    string // of the content, in hexadecimal
	content   content
}

// content is where the bytes are.
type content interface {
	io.ReaderAt
}

// ErrTooLarge says that a file is over the limit of the site.
var ErrTooLarge = errors.New("the file is over the limit of the site")

// Store keeps the files that were uploaded. Its methods may be called from
// several goroutines.
type Store struct {
	// Limit is how large a file may be; 0 for any size. It is set before use.
	Limit int64

	mu    sync.Mutex
	files []*File // guarded by mu; by id
}

// firstFile is above the ids of the files that pages have from the start.
const firstFile = 700_000_000

// Body is a file that was received and belongs to no page yet.
type Body struct {
	Size   int64
	SHA256 string
	at     content
}

// Receive reads a file to its end.
func (s *Store) Receive(r io.Reader) (Body, error) {
	if s.Limit > 0 {
		r = io.LimitReader(r, s.Limit+1)
	}
	sum := sha256.New()
	var head bytes.Buffer
	n, err := io.Copy(&head, io.TeeReader(io.LimitReader(r, small), sum))
	if err != nil {
		return Body{}, err
	}
	body := Body{Size: n, at: bytes.NewReader(head.Bytes())}
	if n == small {
		if body, err = spool(&head, io.TeeReader(r, sum)); err != nil {
			return Body{}, err
		}
	}
	if s.Limit > 0 && body.Size > s.Limit {
		return Body{}, ErrTooLarge
	}
	body.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return body, nil
}

// spool keeps a large file on disk, without a name where the system allows it.
func spool(head io.Reader, rest io.Reader) (Body, error) {
	f, err := os.CreateTemp("", "atlassiansim-*")
	if err != nil {
		return Body{}, err
	}
	if os.Remove(f.Name()) != nil { // Windows: when nobody has it any more
		runtime.AddCleanup(f, func(name string) { _ = os.Remove(name) }, f.Name())
	}
	w := bufio.NewWriterSize(f, 256<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, io.MultiReader(head, rest), make([]byte, 128<<10))
	if err == nil {
		err = w.Flush()
	}
	return Body{Size: n, at: f}, err
}

// New is a file to keep.
type New struct {
	Site    string // cloud id
	Page    int64
	Name    string
	Version Version // but for what Body says
	Body    Body
	Again   bool // one of this name may be there
}

// Put adds a file to a page, or a version to the one of that name. ok is false
// where there is one and that was not asked for.
func (s *Store) Put(n New) (f File, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := n.Version
	v.Size, v.SHA256, v.content = n.Body.Size, n.Body.SHA256, n.Body.at
	for _, f := range s.files {
		if f.Site == n.Site && f.Page == n.Page && f.Name == n.Name && !f.Trashed {
			if !n.Again {
				return File{}, false
			}
			v.Number = f.Newest().Number + 1
			f.Versions = append(slices.Clone(f.Versions), v)
			return *f, true
		}
	}
	v.Number = 1
	made := &File{ID: firstFile + int64(len(s.files)), Site: n.Site, Page: n.Page, Name: n.Name, Versions: []Version{v}}
	s.files = append(s.files, made)
	return *made, true
}

// Of lists the files of a page that are not in the trash.
func (s *Store) Of(site string, page int64) []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []File
	for _, f := range s.files {
		if f.Site == site && f.Page == page && !f.Trashed {
			all = append(all, *f)
		}
	}
	return all
}

// Find finds a file by its id.
func (s *Store) Find(site string, id int64) (File, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := id - firstFile; i >= 0 && i < int64(len(s.files)) && s.files[i].Site == site {
		return *s.files[i], true
	}
	return File{}, false
}

// Change renames a file, unless name is "", and gives its newest version another
// comment, unless that is nil. ok is false where the page has a file of the name.
func (s *Store) Change(f File, name string, comment *string) (changed File, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.files {
		if other.Site == f.Site && other.Page == f.Page && other.Name == name && other.ID != f.ID && !other.Trashed {
			return File{}, false
		}
	}
	stored := s.files[f.ID-firstFile]
	if name != "" {
		stored.Name = name
	}
	if comment != nil {
		stored.Versions = slices.Clone(stored.Versions)
		stored.Versions[len(stored.Versions)-1].Comment = *comment
	}
	return *stored, true
}

// Trash puts a file into the trash.
func (s *Store) Trash(site string, id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := id - firstFile; i >= 0 && i < int64(len(s.files)) && s.files[i].Site == site {
		s.files[i].Trashed = true
	}
}

// version finds what an address names.
func (s *Store) version(id, number string) (name string, v Version, ok bool) {
	n, err1 := strconv.ParseInt(id, 10, 64)
	m, err2 := strconv.Atoi(number)
	if err1 != nil || err2 != nil {
		return "", Version{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := n - firstFile
	if i < 0 || i >= int64(len(s.files)) || m < 1 || m > len(s.files[i].Versions) {
		return "", Version{}, false
	}
	return s.files[i].Name, s.files[i].Versions[m-1], true
}
