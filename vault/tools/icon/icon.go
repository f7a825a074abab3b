// Package icon has the picture of Coatcheck, a hanger, for clients that show
// one beside a server and what it offers.
//
// Tools have none: sixteen copies of it would be a tenth of what a list of
// tools may cost, and clients show that of the server instead.
package icon

import (
	_ "embed"
	"encoding/base64"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

//go:embed icon.svg
var svg []byte

//go:embed icon.png
var png []byte

// All are the forms of the picture, inline, so that no client fetches anything.
func All() []mcp.Icon {
	return []mcp.Icon{
		inline("image/svg+xml", svg, "any"),
		inline("image/png", png, "48x48"),
	}
}

func inline(kind string, data []byte, sizes string) mcp.Icon {
	return mcp.Icon{Source: "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data), MIMEType: kind, Sizes: []string{sizes}}
}
