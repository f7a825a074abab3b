package tools_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// still is a network on which every answer is there at once.
type still struct{ answers map[string]string }

func (s still) RoundTrip(req *http.Request) (*http.Response, error) {
	text := s.answers[req.URL.Path[strings.LastIndex(req.URL.Path, "/wiki/"):]]
	return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)), Request: req}, nil
}

// BenchmarkGetPage is a call from the MCP message to the MCP answer, without
// any network: what the SDK, the tools, the guard and markup cost together.
func BenchmarkGetPage(b *testing.B) {
	for _, kb := range []int{1, 64} {
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			r := newRig(b, atlassiansim.Options{NoJournal: true})
			r.quick(kb)
			c := r.connect()
			for b.Loop() {
				if a := c.ask("tools/call", `{"name":"confluence_get_page","arguments":{"page":"101","max_chars":100000}}`); len(a) < kb<<10 {
					b.Fatalf("%s", a)
				}
			}
		})
	}
}

// BenchmarkPing is the least that the SDK takes, to compare with.
func BenchmarkPing(b *testing.B) {
	r := newRig(b, atlassiansim.Options{NoJournal: true})
	c := r.connect()
	for b.Loop() {
		c.ask("ping", `{}`)
	}
}

// quick lets the door speak to a still network.
func (r *rig) quick(kb int) {
	body := strings.Repeat("<p>Some words of a page, as people write them.</p>", kb<<10/45)
	r.doorHTTP = &http.Client{Transport: still{map[string]string{
		"/wiki/api/v2/pages/101": fmt.Sprintf(`{"id":"101","status":"current","title":"Plan","spaceId":"7","version":{"number":3},"body":{"storage":{"value":%q}}}`, body),
		"/wiki/api/v2/spaces/7":  `{"id":"7","key":"OPS","name":"Ops"}`,
	}}}
	r.start()
}
