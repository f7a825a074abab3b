package wsconn_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// TestMeter sends messages of all sizes past a meter: what it has room for
// arrives whole, of the rest both ends, and it learns when each is gone.
func TestMeter(t *testing.T) {
	for name, newVault := range map[string]func(testing.TB, wsconn.Options) *vault{"pipe": newVault, "socket": onSockets} {
		t.Run(name, func(t *testing.T) {
			const most = 64 << 10
			v := newVault(t, wsconn.Options{})
			near, _, err := wsconn.Dial(t.Context(), "ws://vault/", wsconn.DialOptions{NetDial: v.dial})
			if err != nil {
				t.Fatal(err)
			}
			far := <-v.arrived
			t.Cleanup(func() { _ = far.Close(wsconn.CodeNormal, "") })
			held, asked := 0, 0
			far.Meter(func(bytes int) int {
				asked = max(asked, bytes)
				held = min(bytes, most)
				return held
			})
			sizes := []int{1, 4 << 10, most - 1, most, most + 1, most + 500, 5 * most, 1 << 20, 10}
			go func() {
				for i, size := range sizes {
					data := bytes.Repeat([]byte{byte('a' + i)}, size)
					data[0], data[size-1] = '<', '>'
					if near.WriteText(data) != nil {
						return
					}
				}
			}()
			for i, size := range sizes {
				text, data, err := far.Read()
				whole := err == nil && len(data) == size
				if !text || size <= most && !whole || held > most {
					t.Fatalf("%d bytes: text %v, %d bytes, %v; %d held", size, text, len(data), err, held)
				}
				if size > most {
					first, last, ok := bytes.Cut(data, []byte{0})
					fill := byte('a' + i)
					if !errors.Is(err, wsconn.ErrMetered) || !ok || len(first) < 1000 || len(last) < 1000 || first[0] != '<' || last[len(last)-1] != '>' ||
						first[len(first)-1] != fill || last[0] != fill {
						t.Fatalf("%d bytes: %s, %v", size, summary(data), err)
					}
				}
			}
			if asked <= most {
				t.Errorf("asked for %d bytes at most", asked)
			}
			go func() { _ = near.Close(wsconn.CodeNormal, "") }()
			if _, _, err := far.Read(); err == nil || held != 0 {
				t.Errorf("at the end %d bytes are held, %v", held, err)
			}
		})
	}
}

func summary(data []byte) string {
	if len(data) < 40 {
		return string(data)
	}
	return fmt.Sprintf("%d bytes %q … %q", len(data), data[:20], data[len(data)-20:])
}
