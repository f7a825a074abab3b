package extract_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"encoding/binary"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract"
)

// archive makes an Office file of parts.
func archive(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		f, err := z.Create(parts[i])
		if err == nil {
			_, err = io.WriteString(f, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOffice(t *testing.T) {
	for name, tt := range map[string]struct {
		parts []string
		want  string
	}{
		"word": {[]string{"word/document.xml", `<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Plan </w:t></w:r><w:r><w:t xml:space="preserve">A &amp; B</w:t><w:tab/><w:t>x</w:t></w:r></w:p>` +
			`<w:p/><w:p/><w:tbl><w:tr><w:tc><w:p><w:r><w:t>1</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>2</w:t></w:r></w:p></w:tc></w:tr></w:tbl>` +
			`<w:p><w:r><w:delText>gone</w:delText><w:t>end</w:t></w:r></w:p></w:body></w:document>`}, "Plan A & B\tx\n\n1  | 2\nend"},
		"excel": {[]string{
			"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="Costs" sheetId="1" r:id="rId4"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="rId4" Target="worksheets/sheet1.xml"/></Relationships>`,
			"xl/sharedStrings.xml", `<sst><si><t>what</t></si><si><r><t>how </t></r><r><t>much</t></r></si></sst>`,
			"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>` +
				`<row r="2"><c r="A2" t="inlineStr"><is><t>rent</t></is></c><c r="C2"><f>1+1</f><v>2</v></c><c r="D2" t="s"><v>99</v></c></row></sheetData></worksheet>`,
			"xl/worksheets/sheet2.xml", `<worksheet><sheetData><row><c r="ZZZZZZZZ1"><v>3</v></c></row></sheetData></worksheet>`,
		}, "Costs\nwhat\t\thow much\nrent\t\t2\n\nSheet 2\n" + strings.Repeat("\t", 16384) + "3"},
		"excel, sheets in another order": {[]string{
			"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="Last made" r:id="c"/><sheet name="First made" r:id="a"/><sheet name="Chart" r:id="d"/><sheet name="Again" r:id="a"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="a" Target="/xl/worksheets/sheet1.xml"/><Relationship Id="c" Target="worksheets/sheet3.xml"/>` +
				`<Relationship Id="d" Target="../docProps/app.xml"/></Relationships>`,
			"docProps/app.xml", `<worksheet><c><v>4</v></c></worksheet>`,
			"xl/worksheets/sheet1.xml", `<worksheet><c><v>1</v></c></worksheet>`,
			"xl/worksheets/sheet2.xml", `<worksheet><c><v>2</v></c></worksheet>`,
			"xl/worksheets/sheet3.xml", `<worksheet><c><v>3</v></c></worksheet>`,
		}, "Last made\n3\n\nFirst made\n1\n\nSheet 3\n2"},
		"powerpoint": {[]string{
			"ppt/presentation.xml", `<p/>`,
			"ppt/slides/slide10.xml", `<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>ten</a:t></a:r></a:p></p:sld>`,
			"ppt/slides/slide2.xml", `<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>two</a:t></a:r><a:br/><a:r><a:t>lines</a:t></a:r></a:p></p:sld>`,
		}, "Slide 2\ntwo\nlines\n\nSlide 10\nten"},
		"opendocument": {[]string{"content.xml", `<office:document-content xmlns:office="o" xmlns:text="t"><text:h>Title</text:h><text:p>a<text:tab/>b<text:s/>c</text:p></office:document-content>`}, "Title\na\tb c"},
	} {
		got, err := extract.OfficeText(t.Context(), archive(t, tt.parts...))
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestOfficeFilesThatMeanHarm(t *testing.T) {
	bomb := strings.Repeat("<w:p><w:r><w:t></w:t></w:r></w:p>", 1<<15)
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"no archive":    []byte("PK\x03\x04 and then nothing"),
		"no parts":      archive(t, "readme.txt", "hello"),
		"damaged":       archive(t, "word/document.xml", "<w:p><w:t>x"+"\x00"),
		"nested":        archive(t, "word/document.xml", strings.Repeat("<a>", 1000)),
		"an entity":     archive(t, "word/document.xml", `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`),
		"larger inside": archive(t, "word/document.xml", "<w:t>"+strings.Repeat("x", 33<<20)+"</w:t>"),
	} {
		if text, err := extract.OfficeText(t.Context(), data); !errors.Is(err, extract.ErrUnreadable) {
			t.Errorf("%s: %.80q, %v", name, text, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := extract.OfficeText(ctx, archive(t, "word/document.xml", "<d>"+bomb+"</d>")); !errors.Is(err, context.Canceled) {
		t.Errorf("when nobody waits: %v", err)
	}
	long, err := extract.OfficeText(t.Context(), archive(t, "word/document.xml", "<d>"+strings.Repeat("<w:t>0123456789</w:t>", extract.MaxText/8)+"</d>"))
	if err != nil || len(long) > extract.MaxText || len(long) < extract.MaxText/2 {
		t.Errorf("a long text: %d bytes, %v", len(long), err)
	}
}

func TestPlain(t *testing.T) {
	for data, want := range map[string]string{
		"grün": "grün", "\xef\xbb\xbfgrün": "grün", "\xff\xfeg\x00\xfc\x00": "gü", "\xfe\xff\x00g\x00\xfc": "gü", "gr\xfcn": "grün", "": "",
	} {
		if got, err := extract.Plain([]byte(data)); got != want || err != nil {
			t.Errorf("%q: %q, %v", data, got, err)
		}
	}
	if _, err := extract.Plain([]byte("a\x00b")); !errors.Is(err, extract.ErrUnreadable) {
		t.Errorf("no text: %v", err)
	}
	if got, _ := extract.Plain(bytes.Repeat([]byte("ä"), extract.MaxText)); len(got) > extract.MaxText {
		t.Errorf("%d bytes", len(got))
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]extract.Kind{
		"a.TXT": extract.Text, "a.docx": extract.Office, "a.pdf": extract.PDF, "a.JPEG": extract.Picture, "a.svg": extract.Text, "a.exe": extract.None, "a": extract.None,
		"a|text/x-log; charset=x": extract.Text, "a|image/png": extract.Picture, "a|application/pdf": extract.PDF, "a|application/json": extract.Text,
	} {
		name, kind, _ := strings.Cut(name, "|")
		if got := extract.KindOf(name, kind); got != want {
			t.Errorf("%s %s: %v, want %v", name, kind, got, want)
		}
	}
}

func half(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.NRGBA{uint8(x), uint8(y), 7, uint8(0xff * (x % 2))})
		}
	}
	return m
}

func TestPicturesAreMadeSmall(t *testing.T) {
	var asPNG, asJPEG, asGIF bytes.Buffer
	_ = png.Encode(&asPNG, half(3136, 500))
	_ = jpeg.Encode(&asJPEG, half(20, 2000), nil)
	_ = gif.Encode(&asGIF, half(30, 30), nil)
	for name, tt := range map[string]struct {
		data       []byte
		kind       string
		w, h, inW  int
		largestLen int
	}{
		"png":  {asPNG.Bytes(), "image/", 1568, 250, 3136, 2 << 20},
		"jpeg": {asJPEG.Bytes(), "image/jpeg", 15, 1568, 20, 1 << 20},
		"gif":  {asGIF.Bytes(), "image/png", 30, 30, 30, 1 << 20},
	} {
		got, err := extract.Look(t.Context(), tt.data)
		config, _, decodeErr := image.DecodeConfig(bytes.NewReader(got.Data))
		if err != nil || decodeErr != nil || config.Width != tt.w || config.Height != tt.h || got.Width != tt.inW || !strings.HasPrefix(got.MediaType, tt.kind) || len(got.Data) > tt.largestLen {
			t.Errorf("%s: %dx%d %s of %d bytes, %v %v", name, config.Width, config.Height, got.MediaType, len(got.Data), err, decodeErr)
		}
	}
	// Two points of which one is nothing are half of the other, in its colour.
	var two bytes.Buffer
	m := image.NewNRGBA(image.Rect(0, 0, 2*extract.MaxSide, 1))
	for x := range 2 * extract.MaxSide {
		m.Set(x, 0, color.NRGBA{200, 100, 50, uint8(0xff * (x % 2))})
	}
	_ = png.Encode(&two, m)
	got, err := extract.Look(t.Context(), two.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	small, _, _ := image.Decode(bytes.NewReader(got.Data))
	if c, _ := color.NRGBAModel.Convert(small.At(5, 0)).(color.NRGBA); c != (color.NRGBA{200, 100, 50, 0x7f}) {
		t.Errorf("the mean is %v", c)
	}
}

// header is a PNG that says how large it is, and has nothing.
func header(w, h uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(chunk))
}

func TestPicturesThatMeanHarm(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "huge": header(100_000, 100_000), "wide": header(1<<31-1, 1), "many points": header(29_000, 29_000),
		"no content": header(10, 10), "cut off": header(10, 10)[:20], "gif": []byte("GIF89a\xff\xff\xff\xff"),
	} {
		if got, err := extract.Look(t.Context(), data); !errors.Is(err, extract.ErrUnreadable) {
			t.Errorf("%s: %d bytes, %v", name, len(got.Data), err)
		}
	}
}

// rescanned is a progressive JPEG of one colour that goes over all of its points
// again and again, which takes a few bytes each time.
func rescanned(side uint16, times int) []byte {
	data := []byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}
	data = append(data, bytes.Repeat([]byte{1}, 64)...)
	data = append(data, 0xff, 0xc2, 0, 11, 8, byte(side>>8), byte(side), byte(side>>8), byte(side), 1, 1, 0x11, 0)
	data = append(data, 0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0) // the code 0: 16384 blocks of nothing and as many more as 14 bits say
	blocks := int(side/8) * int(side/8)
	scan := append([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0}, make([]byte, ((blocks+16383)/16384*15+7)/8)...)
	return append(append(data, bytes.Repeat(scan, times)...), 0xff, 0xd9)
}

func TestNobodyWaitsForAPictureForEver(t *testing.T) {
	if _, err := extract.Look(t.Context(), rescanned(64, 3)); err != nil {
		t.Fatal(err) // it is a picture
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := extract.Look(ctx, rescanned(1600, 100_000)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzOffice(f *testing.F) {
	f.Add("word/document.xml", "<w:p><w:t>x</w:t></w:p>")
	f.Add("xl/workbook.xml", `<sheet name="x"/>`)
	f.Add("xl/worksheets/sheet1.xml", `<row><c r="B1" t="s"><v>-1</v></c></row>`)
	f.Add("content.xml", "<text:p>")
	f.Fuzz(func(t *testing.T, name, body string) {
		if strings.HasSuffix(name, "/") {
			t.Skip("a folder has no content")
		}
		parts := []string{name, body}
		if strings.HasPrefix(name, "xl/") {
			parts = append(parts, "xl/workbook.xml", "<a/>")
		}
		text, err := extract.OfficeText(t.Context(), archive(t, parts...))
		if err != nil && !errors.Is(err, extract.ErrUnreadable) || len(text) > extract.MaxText {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	})
}

func FuzzLook(f *testing.F) {
	var b bytes.Buffer
	_ = png.Encode(&b, half(3, 3))
	f.Add(b.Bytes())
	f.Add(header(2, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := extract.Look(t.Context(), data); err == nil {
			if config, _, err := image.DecodeConfig(bytes.NewReader(got.Data)); err != nil || config.Width > extract.MaxSide || config.Height > extract.MaxSide {
				t.Error(fmt.Sprint(config), err)
			}
		}
	})
}
