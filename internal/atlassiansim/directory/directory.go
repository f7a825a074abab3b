// Package directory holds the people and sites of the simulated company.
package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
)

// Person is somebody with an Atlassian account.
type Person struct {
	Name        string // short and unique, such as "ada": what tests call the person
	AccountID   string
	DisplayName string
	Nickname    string
	Email       string
	JobTitle    string
	// NoLicence means: has an account, may consent, may not use Confluence.
	NoLicence bool
}

// Site is one Confluence Cloud site.
type Site struct {
	Name    string // "acme"
	CloudID string
	URL     string // "https://acme.atlassian.net", without trailing slash
	// People names who has access; nil means everybody.
	People []string
}

// Has reports whether the person called name has access to the site.
func (s Site) Has(name string) bool { return s.People == nil || slices.Contains(s.People, name) }

// Directory is who and what there is. Its methods may be called from several
// goroutines.
type Directory struct {
	mu     sync.RWMutex
	people []Person // guarded by mu
	sites  []Site   // guarded by mu
}

// New returns a directory of people and sites. What they leave out is filled
// in.
func New(people []Person, sites []Site) *Directory {
	d := &Directory{}
	for _, p := range people {
		d.AddPerson(p)
	}
	for _, s := range sites {
		d.AddSite(s)
	}
	return d
}

// AddPerson adds a person, or replaces the one with the same name, and returns
// the person with everything filled in.
func (d *Directory) AddPerson(p Person) Person {
	if p.DisplayName == "" {
		p.DisplayName = strings.ToUpper(p.Name[:1]) + p.Name[1:]
	}
	if p.AccountID == "" {
		p.AccountID = "712020:" + uuid("person "+p.Name)
	}
	if p.Nickname == "" {
		p.Nickname, _, _ = strings.Cut(p.DisplayName, " ")
	}
	if p.Email == "" {
		p.Email = p.Name + "@acme.example"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.people, func(q Person) bool { return q.Name == p.Name }); i >= 0 {
		d.people[i] = p
	} else {
		d.people = append(d.people, p)
	}
	return p
}

// AddSite adds a site.
func (d *Directory) AddSite(s Site) Site {
	if s.CloudID == "" {
		s.CloudID = uuid("site " + s.Name)
	}
	if s.URL == "" {
		s.URL = "https://" + s.Name + ".atlassian.net"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sites = append(d.sites, s)
	return s
}

// uuid derives a stable UUID from a name.
func uuid(name string) string {
	sum := sha256.Sum256([]byte("atlassiansim " + name))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// People lists everybody.
func (d *Directory) People() []Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.people)
}

// Sites lists all sites.
func (d *Directory) Sites() []Site {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.sites)
}

// Person finds a person by name or account id.
func (d *Directory) Person(name string) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, p := range d.people {
		if p.Name == name || p.AccountID == name {
			return p, true
		}
	}
	return Person{}, false
}

// Site finds a site by name or cloud id.
func (d *Directory) Site(name string) (Site, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, s := range d.sites {
		if s.Name == name || s.CloudID == name {
			return s, true
		}
	}
	return Site{}, false
}
