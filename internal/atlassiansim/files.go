package atlassiansim

import (
	"strconv"
)

// File is an attachment that was uploaded, for tests.
type File struct {
	ID, Name, MediaType, Comment string
	Version                      int
	Size                         int64
	SHA256                       string // in hexadecimal
	Minor                        bool
}

// Files lists what was attached to a page, in its latest versions.
func (s *Sim) Files(page string) []File {
	cloudID, ok := s.first()
	n, err := strconv.ParseInt(page, 10, 64)
	if !ok || err != nil {
		return nil
	}
	var all []File
	for _, f := range s.files.Of(cloudID, n) {
		v := f.Newest()
		all = append(all, File{"att" + strconv.FormatInt(f.ID, 10), f.Name, v.MediaType, v.Comment, v.Number, v.Size, v.SHA256, v.Minor})
	}
	return all
}
