package notefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/notefile"
)

func note(n int) string { return fmt.Sprintf("log/audit\n%d\n\n— key sig%d\n", n, n) }

func TestEach(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		want []string // line: text
		long int      // line of one that is too long
	}{
		"nothing":         {},
		"empty lines":     {file: "\n\n\n"},
		"two":             {file: note(1) + "\n" + note(2), want: []string{"1: " + note(1), "6: " + note(2)}},
		"not apart":       {file: note(1) + note(2), want: []string{"1: " + note(1), "5: " + note(2)}},
		"two signatures":  {file: note(1) + "— other sig\n\n" + note(2), want: []string{"1: " + note(1) + "— other sig\n", "7: " + note(2)}},
		"half of the 1st": {file: "log/audit\n1\n" + note(2), want: []string{"1: log/audit\n1\n", "3: " + note(2)}},
		"half of the 2nd": {file: note(1) + "\nlog/audit/acme\n", want: []string{"1: " + note(1), "6: log/audit/acme\n"}},
		"a long line":     {file: note(1) + strings.Repeat("x", notefile.MaxNote+1), long: 5},
		"many lines":      {file: strings.Repeat("x\n", notefile.MaxNote), long: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := notefile.Each(strings.NewReader(test.file), "log/audit", func(line int, text []byte) error {
				got = append(got, fmt.Sprintf("%d: %s", line, text))
				return nil
			})
			if long, ok := errors.AsType[*notefile.TooLongError](err); ok != (test.long > 0) || ok && long.Line != test.long || !ok && err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" && test.long == 0 {
				t.Error(diff)
			}
		})
	}
}

func TestErrorsEndIt(t *testing.T) {
	broken := errors.New("broken")
	if err := notefile.Each(iotest.ErrReader(broken), "log", func(int, []byte) error { return nil }); !errors.Is(err, broken) {
		t.Error(err)
	}
	times := 0
	err := notefile.Each(strings.NewReader(note(1)+note(2)), "log/audit", func(int, []byte) error { times++; return broken })
	if !errors.Is(err, broken) || times != 1 {
		t.Error(times, err)
	}
}

func FuzzEach(f *testing.F) {
	f.Add([]byte(note(1) + "\n" + note(2)))
	f.Add([]byte("log/audit\n" + note(2)))
	f.Fuzz(func(t *testing.T, file []byte) {
		total := 0
		_ = notefile.Each(bytes.NewReader(file), "log/audit", func(_ int, text []byte) error {
			if total += len(text); len(text) > notefile.MaxNote {
				t.Error("longer than it may be")
			}
			return nil
		})
		if total > len(file)+1 {
			t.Errorf("%d bytes of %d", total, len(file))
		}
	})
}
