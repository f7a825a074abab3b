package ocsf

import "encoding/json"

// event has the attributes of the three classes, in the words of the schema.
type event struct {
	Activity     int        `json:"activity_id"`
	ActivityName string     `json:"activity_name"`
	Category     int        `json:"category_uid"`
	Class        int        `json:"class_uid"`
	Type         int        `json:"type_uid"`
	Time         int64      `json:"time"` // ms since 1970
	Severity     int        `json:"severity_id"`
	SeverityName string     `json:"severity"`
	Status       int        `json:"status_id"`
	StatusName   string     `json:"status"`
	Code         string     `json:"status_code,omitempty"`
	Detail       string     `json:"status_detail,omitempty"`
	Message      string     `json:"message"`
	Duration     int64      `json:"duration,omitempty"` // ms
	Metadata     metadata   `json:"metadata"`
	Actor        actor      `json:"actor"`
	Source       endpoint   `json:"src_endpoint"`
	API          *api       `json:"api,omitempty"`
	Resources    []resource `json:"resources,omitempty"`
	User         *user      `json:"user,omitempty"`
	Session      *uid       `json:"session,omitempty"`
	Service      *named     `json:"service,omitempty"`
	Entity       *entity    `json:"entity,omitempty"`
	Unmapped     unmapped   `json:"unmapped"`
}

type metadata struct {
	Version     string  `json:"version"` // of the schema
	Product     product `json:"product"`
	EventCode   string  `json:"event_code"`
	UID         string  `json:"uid"`
	Sequence    int64   `json:"sequence"`
	Tenant      string  `json:"tenant_uid,omitempty"`
	Correlation string  `json:"correlation_uid,omitempty"`
}

type product struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version,omitempty"`
}

type actor struct {
	App     string `json:"app_name"`
	User    *user  `json:"user"`
	Session *uid   `json:"session,omitempty"`
}

type user struct {
	UID    string `json:"uid,omitempty"`
	Name   string `json:"name,omitempty"`
	TypeID int    `json:"type_id"`
	Type   string `json:"type,omitempty"`
}

type endpoint struct {
	IP      string `json:"ip,omitempty"`
	UID     string `json:"uid,omitempty"`
	Service string `json:"svc_name,omitempty"`
}

type api struct {
	Operation string `json:"operation"`
	Service   *named `json:"service,omitempty"`
	Request   *uid   `json:"request,omitempty"`
}

type resource struct {
	Name  string `json:"name"`
	Type  string `json:"type,omitempty"`
	UID   string `json:"uid,omitempty"`
	Group *named `json:"group,omitempty"`
}

type entity struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type"`
	UID  string `json:"uid,omitempty"`
}

type named struct {
	Name string `json:"name"`
}

type uid struct {
	UID string `json:"uid"`
}

// unmapped has what proves a record, and what the schema has no place for.
type unmapped struct {
	Chain          chain           `json:"chain"`
	Outcome        string          `json:"outcome"`
	Person         string          `json:"person,omitempty"`
	Device         string          `json:"device,omitempty"`
	Grant          string          `json:"grant,omitempty"`
	Stream         string          `json:"stream,omitempty"`
	Objects        []string        `json:"objects,omitempty"`
	ArgumentsBytes int             `json:"arguments_bytes,omitempty"`
	ResultBytes    int             `json:"result_bytes,omitempty"`
	ArgumentsHash  string          `json:"arguments_hash,omitempty"`
	ResultHash     string          `json:"result_hash,omitempty"`
	Arguments      json.RawMessage `json:"arguments,omitempty"`
	Body           string          `json:"body"` // as it was hashed
}

type chain struct {
	Tenant string `json:"tenant"`
	Seq    int64  `json:"seq"`
	Prev   string `json:"prev"`
	Hash   string `json:"hash"`
}
