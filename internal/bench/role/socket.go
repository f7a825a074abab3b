package role

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/echo"
)

// answerBytes answers each message, which is a number, with so many bytes. It
// reads no JSON: nothing on a websocket can be faster.
func answerBytes(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	text := bytes.Repeat([]byte("x"), echo.Max)
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSpace(string(message)))
		if err != nil || size < 0 || size > echo.Max {
			return
		}
		if conn.WriteMessage(websocket.TextMessage, text[:size]) != nil {
			return
		}
	}
}
