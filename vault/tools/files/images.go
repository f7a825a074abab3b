package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Limits of the images that one text brings along.
const (
	maxImages = 50
	maxData   = 1 << 20  // bytes of one that stands in the text
	maxImage  = 25 << 20 // bytes of one of the caller's computer, which is in memory while it is named
)

// bring is [Bring].
func bring(ctx context.Context, set *tool.Set, w *guard.Wiki, page guard.Page, markdown string) (string, error) {
	found := pictures(markdown)
	if len(found) == 0 {
		return markdown, nil
	}
	if len(found) > maxImages {
		return "", refused(usererr.New(usererr.TooLarge, "The text brings more than 50 images along", "Write it in several parts"))
	}
	names := map[string]string{} // by what stands in the text
	var b strings.Builder
	at := 0
	for i, p := range found {
		source := markdown[p.from:p.to]
		name, known := names[source]
		if !known {
			var err error
			if name, err = carry(ctx, set, w, page, p); err != nil {
				return "", refused(err)
			}
			names[source] = name
		}
		tool.Progress(ctx, i+1, len(found)+1, "Attaching images")
		b.WriteString(markdown[at:p.from])
		b.WriteString(url.PathEscape(name))
		at = p.to
	}
	b.WriteString(markdown[at:])
	return b.String(), nil
}

// carry uploads one image, unless it is there, and returns the name of the
// attachment: that of the file with a part of its hash, so that another image
// of the same name does not take the place of this one on other pages' sight.
func carry(ctx context.Context, set *tool.Set, w *guard.Wiki, page guard.Page, p picture) (string, error) {
	data, name := p.data, "image"+endings[p.kind]
	switch {
	case p.path == "" && len(data) > maxData:
		return "", usererr.New(usererr.TooLarge, "An image in the text is larger than 1 MiB", "Save it as a file and give its path")
	case p.path != "":
		var err error
		if data, name, err = local(ctx, set, p.path); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256(data)
	ending := path.Ext(name)
	name, err := cleanName(strings.TrimSuffix(name, ending) + "-" + hex.EncodeToString(sum[:5]) + ending)
	if err != nil {
		return "", err
	}
	there, _, err := files.List(ctx, w, page, files.Query{Name: name, Limit: 5})
	if err != nil {
		return "", err
	}
	for _, f := range there {
		if f.Name == name && f.Size == int64(len(data)) {
			return name, nil
		}
	}
	_, _, err = files.Upload(ctx, w, page, files.New{
		Name: name, MediaType: mediaType(name), Minor: true, Version: true, Size: int64(len(data)), Body: bytes.NewReader(data),
	})
	return name, err
}

// local reads an image of the caller's computer.
func local(ctx context.Context, set *tool.Set, path string) ([]byte, string, error) {
	if set.Computer == nil {
		return nil, "", noComputer()
	}
	source, err := set.Computer.Open(ctx, path)
	if err != nil {
		return nil, "", err
	}
	defer source.Close()
	kind := mediaType(source.Name())
	switch {
	case !strings.HasPrefix(kind, "image/"):
		return nil, "", usererr.New(usererr.BadInput, source.Name()+" is no image", "Attach it with "+upload+" and link to it")
	case source.Size() > maxImage:
		return nil, "", usererr.New(usererr.TooLarge, source.Name()+" is larger than the 25 MiB of an image", "Make it smaller, or attach it with "+upload)
	}
	data := make([]byte, 0, source.Size()+bytes.MinRead)
	buffer := bytes.NewBuffer(data)
	if _, err := buffer.ReadFrom(io.LimitReader(source, maxImage+1)); err != nil {
		return nil, "", err
	}
	if int64(buffer.Len()) != source.Size() {
		return nil, "", errors.New("an image has another length than was said")
	}
	return buffer.Bytes(), source.Name(), nil
}
