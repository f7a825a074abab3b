package e2e_test

//lint:file-ignore SA1019 clients have roots and logging for a year to come, and nothing else in their place

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// writeFile makes a file of size bytes that no two places of are alike, and
// returns its hash.
func writeFile(t *testing.T, name string, size int64) string {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	source := io.LimitReader(rand.NewChaCha8([32]byte{7}), size)
	if _, err := io.CopyBuffer(io.MultiWriter(f, sum), source, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func hashOf(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// steps collects the progress that a client is told.
type steps struct {
	mu   sync.Mutex
	seen []float64
}

func (s *steps) options() *mcp.ClientOptions {
	return &mcp.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, r.Params.Progress)
	}}
}

// slow is a call of a tool that may take longer than the others.
func slow(t *testing.T, s *mcp.ClientSession, tool string, args map[string]any) (map[string]any, error) {
	t.Helper()
	params := &mcp.CallToolParams{Name: tool, Arguments: args, Meta: mcp.Meta{}}
	params.SetProgressToken("progress-" + tool)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	result, err := s.CallTool(ctx, params)
	if err != nil {
		return nil, err
	}
	if result.IsError {
		text, _ := result.Content[0].(*mcp.TextContent)
		return nil, errors.New(text.Text)
	}
	said, _ := result.StructuredContent.(map[string]any)
	return said, nil
}

func TestALargeFileGoesUpAndDown(t *testing.T) {
	w := newWorld(t, stage.Options{})
	work := t.TempDir()
	const size = 100 << 20
	sum := writeFile(t, filepath.Join(work, "disk image.bin"), size)
	var told steps
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, told.options())
	client.AddRoots(&mcp.Root{URI: (&url.URL{Scheme: "file", Path: filepath.ToSlash(work)}).String(), Name: "work"})
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: w.laptop("ada").Shim(t.Context())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	w.signIn(session, "ada")
	page, _ := w.Sim.PageByTitle("ENG", "Deployment guide")

	up, err := slow(t, session, "confluence_upload_attachment", map[string]any{"page": page.ID, "path": filepath.Join(work, "disk image.bin"), "comment": "nightly"})
	if err != nil {
		t.Fatal(err)
	}
	files := w.Sim.Files(page.ID)
	if len(files) != 1 || files[0].SHA256 != sum || files[0].Size != size || files[0].Name != "disk image.bin" || files[0].Comment != "nightly" || up["id"] != files[0].ID {
		t.Fatalf("%+v after %v", files, up)
	}
	down, err := slow(t, session, "confluence_download_attachment", map[string]any{"page": page.ID, "file": "disk image.bin", "folder": work})
	if err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("over the file that is there: %v, %v", down, err)
	}
	other := filepath.Join(work, "down")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if down, err = slow(t, session, "confluence_download_attachment", map[string]any{"page": page.ID, "file": "disk image.bin", "folder": other}); err != nil {
		t.Fatal(err)
	}
	if got := hashOf(t, filepath.Join(other, "disk image.bin")); got != sum || down["sha256"] != sum {
		t.Errorf("came back as %s, and the answer says %v", got, down)
	}
	entries, _ := os.ReadDir(other)
	if len(entries) != 1 {
		t.Errorf("beside it: %v", entries)
	}
	told.mu.Lock()
	defer told.mu.Unlock()
	if len(told.seen) < 4 {
		t.Errorf("progress was told %d times", len(told.seen))
	}
	w.recordsHaveNoPath(work, sum)
}

// recordsHaveNoPath looks at the audit records and the vault's log: the file's
// name and hash are there, its folder is not.
func (w *world) recordsHaveNoPath(folder, sum string) {
	w.t.Helper()
	out, err := w.VaultCommand(w.t.Context(), "audit", "list").CombinedOutput()
	if err != nil {
		w.t.Fatalf("audit list: %v\n%s", err, out)
	}
	log, _ := os.ReadFile(w.VaultLog())
	for name, text := range map[string][]byte{"audit": out, "log": log} {
		if bytes.Contains(text, []byte(folder)) {
			w.t.Errorf("the %s knows the folder", name)
		}
	}
	if !bytes.Contains(out, []byte(sum)) || !bytes.Contains(out, []byte("disk image.bin")) {
		w.t.Errorf("the records do not name the file:\n%s", out)
	}
}

func TestFilesThatNobodyMayHave(t *testing.T) {
	w := newWorld(t, stage.Options{Sim: atlassiansim.Options{MaxFile: 1 << 20}})
	work, outside := t.TempDir(), t.TempDir()
	for _, name := range []string{filepath.Join(outside, "secret.txt"), filepath.Join(work, ".env")} {
		if err := os.WriteFile(name, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(work, "notes.txt")); err != nil {
		if runtime.GOOS != "windows" {
			t.Fatal(err)
		}
		t.Skip(err) // it takes a right that few have there
	}
	writeFile(t, filepath.Join(work, "large.bin"), 2<<20)
	laptop := w.laptop("ada")
	cmd := laptop.Shim(t.Context(), "--file-folders="+work)
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	w.signIn(session, "ada")
	page, _ := w.Sim.PageByTitle("ENG", "Deployment guide")
	for path, want := range map[string]string{
		filepath.Join(outside, "secret.txt"):                      "none of the folders",
		filepath.Join(work, "..", filepath.Base(outside), "x.sh"): "none of the folders",
		filepath.Join(work, "notes.txt"):                          "escapes",
		filepath.Join(work, ".env"):                               "hidden",
		work:                                                      "folder",
		"/dev/zero":                                               "none of the folders",
		"/proc/self/environ":                                      "none of the folders",
		filepath.Join(work, "missing.txt"):                        "no such file",
		filepath.Join(work, "large.bin"):                          "larger than the site allows",
	} {
		if got, err := slow(t, session, "confluence_upload_attachment", map[string]any{"page": page.ID, "path": path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	if files := w.Sim.Files(page.ID); len(files) != 0 {
		t.Errorf("attached: %+v", files)
	}
}

// page is a PDF file with one line on it, as small as they get.
const pagePDF = "%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n" +
	"4 0 obj<</Length 41>>stream\nBT /F 9 Tf 9 9 Td (Minutes of May) Tj ET \nendstream endobj\n5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"

func TestPDFFilesAreReadApart(t *testing.T) {
	w := newWorld(t, stage.Options{})
	work := t.TempDir()
	text, offsets := pagePDF, ""
	for i := range 5 {
		offsets += fmt.Sprintf("%010d 00000 n \n", strings.Index(text, fmt.Sprintf("\n%d 0 obj", i+1))+1)
	}
	text += fmt.Sprintf("xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", offsets, len(pagePDF))
	if err := os.WriteFile(filepath.Join(work, "minutes.pdf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: w.laptop("ada").Shim(t.Context(), "--file-folders="+work)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	w.signIn(session, "ada")
	page, _ := w.Sim.PageByTitle("ENG", "Deployment guide")
	if _, err := slow(t, session, "confluence_upload_attachment", map[string]any{"page": page.ID, "path": "minutes.pdf"}); err != nil {
		t.Fatal(err)
	}
	got, err := slow(t, session, "confluence_get_attachment", map[string]any{"page": page.ID, "file": "minutes.pdf"})
	if said, _ := got["text"].(string); err != nil || !strings.Contains(said, "Minutes of May") {
		t.Errorf("%v, %v", got, err)
	}
}
