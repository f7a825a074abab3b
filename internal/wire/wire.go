// Package wire has the words that shim and vault exchange besides MCP: the
// binary frames of a stream and the JSON bodies of a sign-in. MCP itself
// travels in text frames, verbatim, and is not this package's business.
//
// A binary frame is one kind byte and a JSON object, except [KindAck], whose
// body is one unsigned varint, and the two that carry bytes of files. Unknown members are ignored, so that a newer
// half can add some; unknown kinds are ignored for the same reason.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What both halves agree on before the first frame.
const (
	// ConnectPath is where a shim arrives.
	ConnectPath = "/v1/connect"
	// LoginStartPath and LoginFinishPath take the shim's two POSTs of a sign-in.
	LoginStartPath  = "/v1/login/start"
	LoginFinishPath = "/v1/login/finish"
	// LogoutPath takes the shim's POST that ends its own session.
	LogoutPath = "/v1/logout"
	// LoginPagePrefix begins the path of every link that a shim may open.
	LoginPagePrefix = "/login/"
)

// Limits of the wire, the same in both directions.
const (
	MaxMessage       = 8 << 20          // bytes of one message
	MaxDepth         = 64               // nesting of JSON
	MaxControl       = 16 << 10         // bytes of one binary frame that is not file data
	MaxInFlight      = 128              // calls under way on one stream
	MaxUnacked       = 24 << 20         // bytes sent and not acknowledged on one stream
	HandshakeTimeout = 10 * time.Second // dial, TLS and upgrade together
	WriteTimeout     = 10 * time.Second // one frame
	PingEvery        = 30 * time.Second // sent by the vault
	SilenceLimit     = 75 * time.Second // nothing heard for this long: the link is dead
	ReproofEvery     = 10 * time.Minute // the longest life of a proof
	AckFrames        = 32               // acknowledge at least every so many text frames
	AckBytes         = 256 << 10        // … or bytes
	AckDelay         = 200 * time.Millisecond
)

// Kind is the first byte of a binary frame.
type Kind byte

// The kinds of binary frames. 0x10 to 0x1f are for files: see [KindFileOpen].
const (
	KindHello         Kind = 0x01 // shim: first frame of a link
	KindResume        Kind = 0x02 // vault: answer to hello
	KindAck           Kind = 0x03 // both: text frames received so far
	KindReplay        Kind = 0x04 // shim: the next text frames are sent again
	KindNonce         Kind = 0x05 // vault: prove yourself again
	KindProof         Kind = 0x06 // shim: the proof asked for
	KindLoginRequired Kind = 0x07 // vault: a call waits for a sign-in
	KindLoginDone     Kind = 0x08 // vault: the sign-in ended
	KindBye           Kind = 0x09 // vault: this link is about to close
)

// Hello opens a link. Stream is the shim's own random name of its MCP
// conversation; Received counts the text frames that the shim has received on
// it. The rest is shown to people and decides nothing.
type Hello struct {
	Stream   string `json:"stream"`
	Received uint64 `json:"received"`
	Version  string `json:"version,omitempty"`
	OS       string `json:"os,omitempty"`
	Host     string `json:"host,omitempty"`
	User     string `json:"user,omitempty"`
	KeyClass string `json:"key_class,omitempty"` // "keychain" or "file"
	// Can names what the shim can do besides carrying messages; see [CanFiles].
	Can []string `json:"can,omitempty"`
}

// maxStreamName is how long a shim may make the name of a stream, in bytes.
const maxStreamName = 64

// Named reports whether Stream is a name: letters and digits of ASCII, - and _.
func (h Hello) Named() bool {
	for _, c := range []byte(h.Stream) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return h.Stream != "" && len(h.Stream) <= maxStreamName
}

// Resume answers Hello. With Resumed, the stream is known, Received counts the
// text frames that the vault has received on it, and both ends send their tail
// again. Without, the stream starts anew: both counts are zero and the shim
// replays what the conversation needs.
type Resume struct {
	Resumed  bool   `json:"resumed"`
	Received uint64 `json:"received"`
	Version  string `json:"version,omitempty"`
	SignedIn bool   `json:"signed_in"`
}

// Replay announces that the next Frames text frames were sent before on this
// stream, to a vault that no longer knows it.
type Replay struct {
	Frames int `json:"frames"`
}

// Nonce asks for a fresh proof over the open link.
type Nonce struct {
	Nonce string `json:"nonce"`
}

// Proof answers Nonce with a DPoP proof (RFC 9449) of the same key, method and
// address as the upgrade.
type Proof struct {
	Proof string `json:"proof"`
}

// LoginRequired says that a call waits for a sign-in on this device.
type LoginRequired struct {
	Tenant string `json:"tenant,omitempty"`
	// Call is the id of the call, as JSON text, if it has done nothing yet and
	// can be made again under another one.
	Call string `json:"call,omitempty"`
}

// LoginDone says how a sign-in ended. Message and Hint, what to do, are for
// people.
type LoginDone struct {
	OK      bool   `json:"ok"`
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// ByeReason says why a link closes.
type ByeReason string

// The reasons of a Bye.
const (
	ByeDrain   ByeReason = "drain"   // the vault restarts: finish, then come back
	ByeRevoked ByeReason = "revoked" // the session is gone: come back as a guest
	ByeExpired ByeReason = "expired" // the proof or session expired: come back
	ByeLimit   ByeReason = "limit"   // too much of something: come back later
	ByeVersion ByeReason = "version" // the halves do not fit: do not come back
)

// Bye announces the end of a link. Message and Hint, what to do, are for
// people.
type Bye struct {
	Reason           ByeReason `json:"reason"`
	Message          string    `json:"message,omitempty"`
	Hint             string    `json:"hint,omitempty"`
	RetryAfterMillis int64     `json:"retry_after_ms,omitempty"`
}

// ErrFrame is wrapped by every error of [Decode] and [DecodeAck].
var ErrFrame = errors.New("bad frame")

// Encode returns the frame of kind with body. It is for bodies of this
// package, whose encoding cannot fail.
func Encode(kind Kind, body any) []byte {
	data, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("wire: encoding %T: %v", body, err)) // impossible: all bodies are plain structs
	}
	return append([]byte{byte(kind)}, data...)
}

// EncodeAck returns the frame that acknowledges received text frames.
func EncodeAck(received uint64) []byte {
	return binary.AppendUvarint([]byte{byte(KindAck)}, received)
}

// KindOf returns the kind of a frame and its body. It returns [ErrFrame] for
// an empty frame and one over the limit of its kind.
func KindOf(frame []byte) (Kind, []byte, error) {
	if len(frame) == 0 || len(frame) > Kind(frame[0]).most() {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrFrame, len(frame))
	}
	return Kind(frame[0]), frame[1:], nil
}

// Decode reads a JSON body into into; its errors wrap [ErrFrame].
func Decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%w: %T", ErrFrame, into) // never the bytes: a proof may be among them
	}
	return nil
}

// DecodeAck reads the body of an acknowledgement; its errors wrap [ErrFrame].
func DecodeAck(body []byte) (uint64, error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || size != len(body) {
		return 0, fmt.Errorf("%w: acknowledgement", ErrFrame)
	}
	return n, nil
}
