package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/bulk"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Limits of the images that one text brings along.
const (
	maxImages = 50
	maxData   = 1 << 20  // bytes of one that stands in the text
	maxImage  = 25 << 20 // bytes of one of the caller's computer
)

// Images are the images that a text brings along to the page that it is for: a
// path of the caller's computer (with a folder in it, or file:) or a small data:
// URI as the destination of an image. All others are left as they are.
//
// Tools that take Markdown use it within guard.Op.Run:
//
//	images := files.Of(set, in.Body)
//	text, err := images.Text(ctx)       // names the attachments; uploads nothing
//	err = images.Bring(ctx, w, page)    // uploads, before the page is written
//
// A page that is created is made as a draft first, so that the images are there
// when it is published. The names tell the content, so that a text that is sent
// again uploads nothing twice and gives the same text again. One goroutine may
// use an Images; nil brings nothing.
type Images struct {
	set      *tool.Set
	markdown string
	found    []picture
	text     string // once it is known
}

// Of finds the images that a text brings along.
func Of(set *tool.Set, markdown string) *Images {
	return &Images{set: set, markdown: markdown, found: pictures(markdown)}
}

// Any reports whether there are some, for guard.Op.Bulk.
func (i *Images) Any() bool { return i != nil && len(i.found) > 0 }

// Any is Images.Any of a text, for tool.Spec.BulkFor.
func Any(markdown string) bool { return len(pictures(markdown)) > 0 }

// Text is the text with the names of attachments in place of the images. What
// is on the caller's computer is read for that. Its errors are user errors.
func (i *Images) Text(ctx context.Context) (string, error) {
	if !i.Any() || i.text != "" {
		if i.text == "" {
			return i.markdown, nil
		}
		return i.text, nil
	}
	if len(i.found) > maxImages {
		return "", usererr.New(usererr.TooLarge, "The text brings more than 50 images along", "Write it in several parts")
	}
	var b strings.Builder
	at := 0
	for n := range i.found {
		p := &i.found[n]
		if err := i.identify(ctx, p); err != nil {
			return "", err
		}
		b.WriteString(i.markdown[at:p.from])
		b.WriteString(url.PathEscape(p.name))
		at = p.to
	}
	b.WriteString(i.markdown[at:])
	i.text = b.String()
	return i.text, nil
}

// identify reads an image once, for its hash.
func (i *Images) identify(ctx context.Context, p *picture) error {
	source, err := i.open(ctx, p)
	if err != nil {
		return err
	}
	defer source.Close()
	p.size = source.Size()
	sum := sha256.New()
	buffer := make([]byte, 64<<10)
	for {
		n, err := source.Read(buffer)
		sum.Write(buffer[:n])
		bulk.Moved(ctx)
		if err == io.EOF { //nolint:errorlint // as readers return it
			break
		}
		if err != nil {
			return err
		}
	}
	ending := path.Ext(source.Name())
	p.sum = sum.Sum(nil)
	p.name, err = CleanName(strings.TrimSuffix(source.Name(), ending) + "-" + hex.EncodeToString(p.sum[:5]) + ending)
	return err
}

// open opens an image, wherever it is.
func (i *Images) open(ctx context.Context, p *picture) (tool.Source, error) {
	if p.path == "" {
		if len(p.data) > maxData {
			return nil, usererr.New(usererr.TooLarge, "An image in the text is larger than 1 MiB", "Save it as a file and give its path")
		}
		return newInText(p), nil
	}
	if i.set.Computer == nil {
		return nil, noComputer()
	}
	source, err := i.set.Computer.Open(ctx, p.path)
	if err != nil {
		return nil, err
	}
	switch {
	case !strings.HasPrefix(mediaType(source.Name()), "image/"):
		err = usererr.New(usererr.BadInput, source.Name()+" is no image", "Attach it with "+upload+" and link to it")
	case source.Size() > maxImage:
		err = usererr.New(usererr.TooLarge, source.Name()+" is larger than the 25 MiB of an image", "Make it smaller, or attach it with "+upload)
	}
	if err != nil {
		_ = source.Close()
		return nil, err
	}
	return source, nil
}

// Bring uploads the images that are not on the page yet, within a call with a
// Settle. Its errors are user errors with guard.ErrRefused in their chain, since
// the page itself was not written; images that were uploaded before stay, and
// nothing refers to them.
func (i *Images) Bring(ctx context.Context, w *guard.Wiki, page guard.Page) error {
	if !i.Any() {
		return nil
	}
	if _, err := i.Text(ctx); err != nil {
		return refused(err)
	}
	done := map[string]bool{}
	for n := range i.found {
		p := &i.found[n]
		if !done[p.name] {
			if err := i.carry(ctx, w, page, p); err != nil {
				return refused(err)
			}
			done[p.name] = true
		}
		tool.Progress(ctx, n+1, len(i.found)+1, "Attaching images")
	}
	return nil
}

func (i *Images) carry(ctx context.Context, w *guard.Wiki, page guard.Page, p *picture) error {
	there, _, err := files.List(ctx, w, page, files.Query{Name: p.name, Limit: 5})
	if err != nil {
		return err
	}
	for _, f := range there {
		if f.Name == p.name && f.Size == p.size {
			return nil
		}
	}
	source, err := i.open(ctx, p)
	if err != nil {
		return err
	}
	defer source.Close()
	if source.Size() != p.size {
		return changed(source)
	}
	_, _, err = files.Upload(ctx, w, page, files.New{
		Name: p.name, MediaType: mediaType(p.name), Minor: true, Version: true, Size: p.size, Body: &same{source, sha256.New(), p.sum},
	})
	return err
}

// same is an image that must still be what it was when it got its name; that it
// is not shows before its last byte is sent.
type same struct {
	tool.Source
	hash hash.Hash
	want []byte
}

// Read implements io.Reader.
func (s *same) Read(p []byte) (int, error) {
	n, err := s.Source.Read(p)
	s.hash.Write(p[:n])
	if err == io.EOF && !bytes.Equal(s.hash.Sum(nil), s.want) { //nolint:errorlint // as readers return it
		err = changed(s)
	}
	return n, err
}

func changed(image tool.Source) error {
	return usererr.New(usererr.Conflict, "The image "+image.Name()+" changed while it was read", "Try again when nothing writes it")
}

// inText is an image that stands in the text.
type inText struct {
	*strings.Reader
	name string
}

func newInText(p *picture) inText {
	return inText{strings.NewReader(string(p.data)), "image" + endings[p.kind]}
}

// Name implements tool.Source.
func (t inText) Name() string { return t.name }

// Close implements tool.Source.
func (inText) Close() error { return nil }
