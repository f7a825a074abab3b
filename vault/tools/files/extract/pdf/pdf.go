// Package pdf reads the text of PDF files. The library that takes them apart
// was not made for files that mean harm: one can send it round in circles, fill
// the memory, or go so deep that no recover helps. So it works in a process of
// its own, which knows nothing, has an empty environment, little memory and
// little time, and is ended when that is over.
package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	library "github.com/ledongthuc/pdf"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract"
)

// Command is the argument with which a program calls [Serve].
const Command = "read-pdf"

// Limits of the process.
const (
	maxTime   = 8 * time.Second
	maxWork   = 16 // seconds of a processor, where the system can bound it
	maxPages  = 2000
	memory    = 512 << 20 // bytes, where the system can bound it
	softLimit = "384MiB"  // for the collector
)

// What is wrong with a file that cannot be read.
var (
	errDamaged = fmt.Errorf("%w: it is damaged, protected by a password, or made in a way that is not known here", extract.ErrUnreadable)
	errSlow    = fmt.Errorf("%w: reading it takes too long", extract.ErrUnreadable)
)

// Apart returns what reads PDF files with a program that calls [Serve] when it
// is run with [Command].
func Apart(program func() (string, error)) func(ctx context.Context, data []byte) (string, error) {
	return func(ctx context.Context, data []byte) (string, error) {
		name, err := program()
		if err != nil {
			return "", fmt.Errorf("finding the program that reads PDF files: %w", err)
		}
		limited, cancel := context.WithTimeout(ctx, maxTime)
		defer cancel()
		cmd := exec.CommandContext(limited, name, Command)
		cmd.Env = []string{"GOMEMLIMIT=" + softLimit, "GOMAXPROCS=1", "GOTRACEBACK=none"}
		cmd.Stdin = bytes.NewReader(data)
		var text bounded
		cmd.Stdout = &text
		cmd.WaitDelay = time.Second
		err = cmd.Run()
		var ended *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case limited.Err() != nil:
			return "", errSlow
		case errors.As(err, &ended):
			return "", errDamaged
		case err != nil:
			return "", fmt.Errorf("running the program that reads PDF files: %w", err)
		}
		return strings.ToValidUTF8(text.String(), ""), nil
	}
}

// bounded takes as much as is used, and drops the rest.
type bounded struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), max(extract.MaxText-b.Len(), 0))]) // never fails
	return len(p), nil
}

// Serve reads a PDF file from in and writes its text to out. It is the whole
// life of the process.
func Serve(in io.Reader, out io.Writer) (err error) {
	limitMemory()
	defer func() {
		if r := recover(); r != nil {
			err = errDamaged
		}
	}()
	data, err := io.ReadAll(io.LimitReader(in, extract.MaxFile+1))
	if err != nil || len(data) > extract.MaxFile {
		return errDamaged
	}
	r, err := library.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return errDamaged
	}
	written, read := 0, 0
	for i := 1; i <= min(r.NumPage(), maxPages) && written < extract.MaxText; i++ {
		text, err := page(r, i)
		if err != nil {
			continue // the others may be fine
		}
		read++
		n, err := fmt.Fprintf(out, "%s\n\n", strings.TrimSpace(text))
		if err != nil {
			return err
		}
		written += n
	}
	if read == 0 {
		return errDamaged
	}
	return nil
}

func page(r *library.Reader, number int) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errDamaged
		}
	}()
	p := r.Page(number)
	if p.V.IsNull() {
		return "", errDamaged
	}
	return p.GetPlainText(nil)
}
