package wire

import (
	"strconv"
	"strings"
)

// Version numbers the wire. It changes when a half of the former version could
// not go on with one of this version, which unknown members and kinds of frames
// do not cause.
const Version = 1

// Subprotocol is the websocket subprotocol of this version; a shim names it in
// its upgrade request, and a vault that speaks another one refuses.
const Subprotocol = "coatcheck.v1"

// Newest is the highest version of the wire among the websocket subprotocols
// that a peer names, 0 if none of them is ours.
func Newest(subprotocols []string) int {
	newest := 0
	for _, name := range subprotocols {
		number, ours := strings.CutPrefix(name, "coatcheck.v")
		n, err := strconv.ParseUint(number, 10, 16)
		if ours && err == nil {
			newest = max(newest, int(n))
		}
	}
	return newest
}
