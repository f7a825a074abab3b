package extract

import (
	"bytes"
	"context"
	"image"
	"image/color"
	_ "image/gif" // the first picture of one
	"image/jpeg"
	"image/png"
)

// Limits of pictures.
const (
	MaxSide   = 1568       // of the picture that comes out: what models look at
	maxPixels = 24_000_000 // of the one that goes in, before anything of it is decoded
	maxEdge   = 30_000     // likewise
	wellPNG   = 1 << 20    // bytes, from which JPEG is tried
)

// Shown is a picture made for looking at.
type Shown struct {
	Data          []byte
	MediaType     string
	Width, Height int // of the original
}

// Look makes a picture of a PNG, JPEG or GIF file that is no larger than what a
// model looks at. It is encoded anew, so nothing comes along that cannot be seen.
// It may take some hundred megabytes: callers see to it that few run at once.
func Look(ctx context.Context, data []byte) (shown Shown, err error) {
	defer func() {
		if r := recover(); r != nil { // the file is anybody's
			shown, err = Shown{}, unreadable("it is damaged")
		}
	}()
	config, format, err := image.DecodeConfig(&timed{ctx, bytes.NewReader(data)})
	switch {
	case ctx.Err() != nil:
		return Shown{}, context.Cause(ctx)
	case err != nil:
		return Shown{}, unreadable("it is no PNG, JPEG or GIF picture, or is damaged")
	case config.Width <= 0 || config.Height <= 0 || config.Width > maxEdge || config.Height > maxEdge || config.Width*config.Height > maxPixels:
		return Shown{}, unreadable("the picture has %d x %d points, which is more than is read", config.Width, config.Height)
	}
	picture, _, err := image.Decode(&timed{ctx, bytes.NewReader(data)})
	switch {
	case ctx.Err() != nil:
		return Shown{}, context.Cause(ctx)
	case err != nil:
		return Shown{}, unreadable("the picture is damaged")
	}
	small := shrink(picture, MaxSide)
	shown = Shown{Width: config.Width, Height: config.Height}
	if format != "jpeg" {
		var b bytes.Buffer
		if err := png.Encode(&b, small); err != nil {
			return Shown{}, err
		}
		shown.Data, shown.MediaType = b.Bytes(), "image/png"
		if b.Len() <= wellPNG {
			return shown, nil
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, onWhite(small), &jpeg.Options{Quality: 85}); err != nil {
		return Shown{}, err
	}
	if shown.Data == nil || b.Len() < len(shown.Data)/2 {
		shown.Data, shown.MediaType = b.Bytes(), "image/jpeg"
	}
	return shown, nil
}

// timed is a picture for a decoder that has no limit of time itself: a JPEG file
// may go over all of its points as often as there is room to say so.
type timed struct {
	ctx  context.Context //nolint:containedctx // of the one reading
	from *bytes.Reader
}

// Read implements io.Reader, in pieces that are soon done with.
func (t *timed) Read(p []byte) (int, error) {
	if t.ctx.Err() != nil {
		return 0, context.Cause(t.ctx)
	}
	return t.from.Read(p[:min(len(p), 4<<10)])
}

// shrink makes a picture whose sides are at most most: each point is the mean
// of those that it stands for.
func shrink(from image.Image, most int) *image.NRGBA {
	bounds := from.Bounds()
	w, h := bounds.Dx(), bounds.Dy()
	tw, th := w, h
	if long := max(w, h); long > most {
		tw, th = max(w*most/long, 1), max(h*most/long, 1)
	}
	to := image.NewNRGBA(image.Rect(0, 0, tw, th))
	for y := range th {
		y0, y1 := y*h/th, max((y+1)*h/th, y*h/th+1)
		for x := range tw {
			x0, x1 := x*w/tw, max((x+1)*w/tw, x*w/tw+1)
			to.SetNRGBA(x, y, mean(from, image.Rect(x0, y0, x1, y1).Add(bounds.Min)))
		}
	}
	return to
}

// mean is the mean colour of a part of a picture, in which a point counts as
// much as it covers.
func mean(of image.Image, part image.Rectangle) color.NRGBA {
	var r, g, b, a, n uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			pr, pg, pb, pa := of.At(x, y).RGBA() // times what it covers
			r, g, b, a, n = r+uint64(pr), g+uint64(pg), b+uint64(pb), a+uint64(pa), n+1
		}
	}
	if a == 0 {
		return color.NRGBA{}
	}
	eight := func(v uint64) uint8 { return uint8(min((v*0xff+a/2)/a, 0xff)) }
	return color.NRGBA{eight(r), eight(g), eight(b), uint8((a/n + 0x80) / 0x101)}
}

// onWhite is a picture without transparency.
func onWhite(from *image.NRGBA) *image.RGBA {
	to := image.NewRGBA(from.Bounds())
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			c := from.NRGBAAt(x, y)
			on := func(v uint8) uint8 { return uint8((int(v)*int(c.A) + 0xff*(0xff-int(c.A)) + 0x7f) / 0xff) }
			to.SetRGBA(x, y, color.RGBA{on(c.R), on(c.G), on(c.B), 0xff})
		}
	}
	return to
}
