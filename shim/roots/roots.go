// Package roots asks the client which folders it works in. The shim asks
// itself, and does not let the vault tell it: a vault that does not mean well
// would allow itself the whole disk.
package roots

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

const (
	patience = 5 * time.Second // for a client to answer
	maxAsked = 32              // questions at once
	inAnswer = "folders"       // the question in the answer to a call
)

// Questions are those that the client has not answered. The zero value has
// none; it may be used from several goroutines.
type Questions struct {
	mu    sync.Mutex
	asked map[string]chan []string // guarded by mu; by id
}

// Answer takes the client's answer to a question of the shim.
func (q *Questions) Answer(id string, message []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if waits := q.asked[id]; waits != nil {
		delete(q.asked, id)
		waits <- read(jsonline.Member(message, "result")) // has room for one
	}
}

// Ask asks with post, and returns the URIs of the folders; none if the client
// does not say in time.
func (q *Questions) Ask(ctx context.Context, post func(message []byte)) []string {
	question, id := words.AskRoots(rand.Text())
	waits := make(chan []string, 1)
	if !q.enter(id, waits) {
		return nil
	}
	defer q.leave(id)
	post(question)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case uris := <-waits:
		return uris
	case <-ctx.Done():
		return nil
	}
}

func (q *Questions) enter(id string, waits chan []string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked == nil {
		q.asked = map[string]chan []string{}
	}
	if len(q.asked) >= maxAsked {
		return false
	}
	q.asked[id] = waits
	return true
}

func (q *Questions) leave(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.asked, id)
}

// Told are the folders that a call of the stateless revision has with it, since
// it was answered with a question before.
func Told(call []byte) (uris []string, told bool) {
	said := jsonline.Member(jsonline.Member(jsonline.Member(call, "params"), "inputResponses"), inAnswer)
	return read(said), said != nil
}

// Tells reports whether the client of a call of that revision can be asked.
func Tells(call []byte) bool {
	return jsonline.Member(words.ParamsOf(call).Meta(greeting.MetaCapabilities), "roots") != nil
}

// AskInAnswer answers a call with the question, after which the client makes it
// again.
func AskInAnswer(id string) []byte { return words.AskRootsInAnswer(id, inAnswer) }

// read reads a list of folders; what does not fit allows nothing.
func read(result []byte) []string {
	var list struct {
		Roots []struct {
			URI string `json:"uri"`
		} `json:"roots"`
	}
	if result == nil || json.Unmarshal(result, &list) != nil {
		return nil
	}
	uris := make([]string, 0, len(list.Roots))
	for _, root := range list.Roots {
		uris = append(uris, root.URI)
	}
	return uris
}
