package atlassiansim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const controlPrefix = "/_sim/"

// control turns knobs over HTTP: POST /_sim/{knob} with form values.
//
//	expire                       all access tokens end now
//	deny       on=true|false     every consent is refused
//	remove-app person=NAME       the person's grants end
//	fail       n= status= body=  the next API requests fail
//	latency    d=                before each answer, such as 200ms
//	index-lag  d=                of CQL search
//	token-life d=                of new access tokens
func (s *Sim) control(w http.ResponseWriter, r *http.Request) {
	if !s.opt.Control || r.Method != http.MethodPost || r.Header.Get("Origin") != "" {
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxKept)
	n, _ := strconv.Atoi(r.FormValue("n")) // absent: 0
	status, _ := strconv.Atoi(r.FormValue("status"))
	d, err := time.ParseDuration(r.FormValue("d"))
	ok := true
	switch knob := strings.TrimPrefix(r.URL.Path, controlPrefix); knob {
	case "expire":
		s.ExpireTokens()
	case "deny":
		s.SetDeny(r.FormValue("on") == "true")
	case "remove-app":
		ok = s.RemoveApp(r.FormValue("person")) > 0
	case "fail":
		if ok = n > 0 && n <= 1000 && status >= 200 && status <= 599; ok {
			s.FailNext(n, status, r.FormValue("body"))
		}
	case "latency", "index-lag", "token-life":
		if ok = err == nil && d >= 0; ok {
			map[string]func(time.Duration){"latency": s.SetLatency, "index-lag": s.SetIndexLag, "token-life": s.SetTokenLife}[knob](d)
		}
	default:
		ok = false
	}
	if !ok {
		http.Error(w, "no such knob, or a value that does not fit", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
