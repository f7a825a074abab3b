// Package ocsf writes audit records as events of the Open Cybersecurity Schema
// Framework, version 1.3: calls are API Activity (6003), sign-ins and their
// ends Authentication (3002), everything that is done to grants, keys, records
// and access Entity Management (3004). What the schema has no place for, and
// all that a chain is made of, is in "unmapped".
package ocsf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

const schemaVersion = "1.3.0"

// Classes of events, of which the first digit is the category.
const (
	authentication   = 3002
	entityManagement = 3004
	apiActivity      = 6003
)

// Activities. Those of changes are the same in API Activity and in Entity
// Management.
const (
	unknown = 0
	create  = 1
	read    = 2
	update  = 3
	remove  = 4
	other   = 99

	logon  = 1
	logoff = 2
)

// kind is what an event is in the schema.
type kind struct {
	class, activity int
	name            string // of the activity
	entity          string // what is managed, for Entity Management
}

// kindOf finds the kind of an event. One that is not known here is something
// else that is done to the vault.
func kindOf(e *audit.Entry) kind {
	switch e.Event {
	case "login.started", "login.done", "login.failed", "login.refused", "login.rejected":
		return kind{authentication, logon, "Logon", ""}
	case "session.stepped_up":
		return kind{authentication, other, "Step-up", ""}
	case "session.ended", "session.revoked":
		return kind{authentication, logoff, "Logoff", ""}
	case "grant.issued":
		return kind{entityManagement, create, "Create", "grant"}
	case "grant.refreshed", "grant.refused":
		return kind{entityManagement, update, "Update", "grant"}
	case "grant.revoked", "grant.superseded", "grant.revoked_upstream":
		return kind{entityManagement, remove, "Delete", "grant"}
	case "person.restored":
		return kind{entityManagement, create, "Create", "access"}
	case "revocation.ordered", "person.expelled", "person.suspended":
		return kind{entityManagement, remove, "Delete", "access"}
	case "keys.rotate", "keys.rotated":
		return kind{entityManagement, update, "Update", "keys"}
	case "settings.changed":
		return kind{entityManagement, update, "Update", "settings"}
	case "admin.look", "audit.exported", "audit.proved", "audit.verify", "audit.verified":
		return kind{entityManagement, read, "Read", "audit records"}
	case "audit.dropped":
		return kind{entityManagement, remove, "Delete", "audit records"}
	}
	if e.Event == "call" || strings.HasPrefix(e.Event, "call.") {
		return callKind(e.Tool)
	}
	what, _, _ := strings.Cut(e.Event, ".")
	return kind{entityManagement, other, e.Event, what}
}

// callKind tells by the verb in its name what a tool does.
func callKind(tool string) kind {
	for _, word := range strings.Split(tool, "_") {
		switch word {
		case "create", "add", "upload":
			return kind{apiActivity, create, "Create", ""}
		case "update", "move", "restore":
			return kind{apiActivity, update, "Update", ""}
		case "delete", "remove":
			return kind{apiActivity, remove, "Delete", ""}
		case "get", "search", "list", "status", "read", "download":
			return kind{apiActivity, read, "Read", ""}
		}
	}
	return kind{apiActivity, unknown, "Unknown", ""}
}

// severity: what was refused and what was taken away is what a SIEM should
// show.
func severity(e *audit.Entry) (id int, name string) {
	switch {
	case e.Outcome == "denied":
		return 3, "Medium"
	case e.Outcome == "error" || strings.HasSuffix(e.Event, ".revoked"):
		return 2, "Low"
	}
	return 1, "Informational"
}

// Append appends r as one line of JSON without its end. A record that cannot
// be read is an event that says so.
func Append(b []byte, r *audit.Record, version string) ([]byte, error) {
	e, err := r.Entry()
	if err != nil {
		e = audit.Entry{Outcome: "error", Detail: err.Error()} // verifying says where
	}
	e.Event, e.Tenant, e.Time = r.Event, r.Tenant, r.Time
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(eventOf(r, &e, version)); err != nil {
		return b, err
	}
	return append(b, bytes.TrimSuffix(line.Bytes(), []byte("\n"))...), nil
}

func eventOf(r *audit.Record, e *audit.Entry, version string) event {
	k := kindOf(e)
	x := event{
		Class: k.class, Category: k.class / 1000, Type: k.class*100 + k.activity, Activity: k.activity, ActivityName: k.name,
		Time: r.Time.UnixMilli(), Duration: e.DurationMillis, Code: e.Code, Detail: e.Detail, Message: e.Event + ": " + e.Outcome,
		Metadata: metadata{
			Version: schemaVersion, Product: product{Name: "coatcheck-vault", Vendor: "Coatcheck", Version: version},
			EventCode: e.Event, UID: hex.EncodeToString(r.Hash), Sequence: r.Seq, Tenant: string(r.Tenant), Correlation: e.Reference,
		},
		Actor: actorOf(e), Source: source(e), Unmapped: unmappedOf(r, e),
	}
	x.Severity, x.SeverityName = severity(e)
	switch e.Outcome {
	case "ok":
		x.Status, x.StatusName = 1, "Success"
	case "error", "denied":
		x.Status, x.StatusName = 2, "Failure"
	default:
		x.StatusName = "Unknown"
	}
	switch k.class {
	case apiActivity:
		x.API = &api{Operation: first(e.Tool, e.Event), Service: &named{Name: first(e.Site, "confluence")}}
		if e.Call != "" {
			x.API.Request = &uid{e.Call}
		}
		for _, object := range e.Objects {
			x.Resources = append(x.Resources, resourceOf(object))
		}
	case authentication:
		x.User, x.Service = &user{UID: first(string(e.Person), "unknown")}, &named{Name: "coatcheck-vault"}
		if e.Session != "" {
			x.Session = &uid{string(e.Session)}
		}
	case entityManagement:
		x.Entity = &entity{Type: k.entity, UID: string(e.Grant), Name: first(strings.Join(e.Objects, ", "), k.entity)}
	}
	return x
}

// actorOf is who acted: the administrator, else the person, else the vault.
func actorOf(e *audit.Entry) actor {
	a := actor{App: "coatcheck"}
	switch {
	case e.By != "" && e.By != "person":
		a.User = &user{Name: e.By, TypeID: 2, Type: "Admin"}
	case e.Person != "":
		a.User = &user{UID: string(e.Person), TypeID: 1, Type: "User"}
	default:
		a.User = &user{Name: "coatcheck-vault", TypeID: 3, Type: "System"}
	}
	if e.Session != "" {
		a.Session = &uid{string(e.Session)}
	}
	return a
}

// source is where it came from. The schema wants at least a name.
func source(e *audit.Entry) endpoint {
	x := endpoint{UID: string(e.Device)}
	if ip, err := netip.ParseAddr(e.Address); err == nil {
		x.IP = ip.Unmap().String()
	}
	if x.IP == "" && x.UID == "" {
		x.Service = "coatcheck-vault"
	}
	return x
}

// resourceOf reads an object as records name it: kind:id, perhaps with @space.
func resourceOf(object string) resource {
	kind, id, ok := strings.Cut(object, ":")
	if !ok {
		return resource{Name: object}
	}
	id, space, _ := strings.Cut(id, "@")
	return resource{Type: kind, UID: id, Group: groupOf(space), Name: object}
}

func groupOf(space string) *named {
	if space == "" {
		return nil
	}
	return &named{Name: space}
}

func unmappedOf(r *audit.Record, e *audit.Entry) unmapped {
	return unmapped{
		Chain: chain{Tenant: string(r.Tenant), Seq: r.Seq, Prev: hex.EncodeToString(r.Prev), Hash: hex.EncodeToString(r.Hash)},
		Body:  strings.ToValidUTF8(string(r.Body), "\uFFFD"), Outcome: e.Outcome, Person: string(e.Person), Device: string(e.Device), Grant: string(e.Grant),
		Stream: string(e.Stream), Objects: e.Objects, ArgumentsBytes: e.ArgumentsBytes, ResultBytes: e.ResultBytes,
		ArgumentsHash: e.ArgumentsHash, ResultHash: e.ResultHash, Arguments: e.Arguments,
	}
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
