package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/api"
)

// readyTimeout bounds all checks of one look at readiness.
const readyTimeout = 3 * time.Second

// check is one thing that must work for the vault to be ready.
type check struct {
	Name string
	Do   func(context.Context) error
}

// routes is every path of the vault.
func (v *assembly) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", v.readyz)
	mux.Handle("GET "+wire.ConnectPath, v.gateway)
	v.signin.Register(mux)
	if administration := v.administration(); administration != nil {
		mux.Handle(api.Root, administration)
		mux.Handle(api.Root+"/", administration)
	}
	mux.HandleFunc("/", notFound)
	return secured(mux)
}

// secured sets what every answer carries.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// healthz says that the process is alive, and nothing else.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("alive\n")) // the asker may have gone
}

// readyz says whether the vault can do its job, and what keeps it from it.
func (v *assembly) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	answer := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{true, map[string]string{}}
	for _, c := range v.checks {
		answer.Checks[c.Name] = "ok"
		if err := c.Do(ctx); err != nil {
			answer.Ready = false
			answer.Checks[c.Name] = usererr.Text(err, "")
			v.log.Warn("not ready", "check", c.Name, "err", err)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the asker may have gone
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(wire.Problem{Code: string(usererr.NotFound), Message: "There is nothing at this address"}) // the asker may have gone
}
