package pdf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract/pdf"
)

// TestMain lets the test's program be the one that reads.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == pdf.Command {
		if err := pdf.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "limits" {
		tellLimits()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// file makes a PDF with one page for each text.
func file(texts ...string) []byte {
	var b bytes.Buffer
	var at []int
	object := func(text string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), text)
	}
	b.WriteString("%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	kids := ""
	for i := range texts {
		kids += fmt.Sprintf("%d 0 R ", 4+2*i)
	}
	object(fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", kids, len(texts)))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	for i, text := range texts {
		object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>", 5+2*i))
		content := "BT /F1 12 Tf 10 100 Td (" + text + ") Tj ET"
		object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}

func TestTextComesOut(t *testing.T) {
	read := pdf.Apart(os.Executable)
	text, err := read(t.Context(), file("The plan", "for next year"))
	if err != nil || !strings.Contains(text, "The plan") || !strings.Contains(text, "for next year") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestFilesThatMeanHarm(t *testing.T) {
	read := pdf.Apart(os.Executable)
	good := file("text")
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"no PDF":        []byte("hello"),
		"cut off":       good[:len(good)/2],
		"in circles":    bytes.ReplaceAll(good, []byte("/Kids [4 0 R ]"), []byte("/Kids [2 0 R ]")),
		"no such page":  bytes.ReplaceAll(good, []byte("/Kids [4 0 R ]"), []byte("/Kids [9 0 R ]")),
		"nested deeply": append([]byte("%PDF-1.4\n1 0 obj\n"+strings.Repeat("[", 5<<20)), good[9:]...),
	} {
		begun := time.Now()
		if text, err := read(t.Context(), data); err == nil && strings.TrimSpace(text) != "" && name != "nested deeply" || err != nil && !errors.Is(err, extract.ErrUnreadable) {
			t.Errorf("%s: %.80q, %v after %v", name, text, err, time.Since(begun))
		}
	}
}

func TestWhoDoesNotWaitIsNotKept(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pdf.Apart(os.Executable)(ctx, file("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := pdf.Apart(func() (string, error) { return "/nowhere/at/all", nil })(t.Context(), file("x")); err == nil || errors.Is(err, extract.ErrUnreadable) {
		t.Errorf("without the program: %v", err)
	}
}

func FuzzServe(f *testing.F) {
	f.Add(file("a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4<<10 {
			return
		}
		text, err := pdf.Apart(os.Executable)(t.Context(), data)
		if err != nil && !errors.Is(err, extract.ErrUnreadable) {
			t.Errorf("%.80q, %v", text, err)
		}
	})
}
