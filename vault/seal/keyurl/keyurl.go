// Package keyurl reads the addresses of key-encryption keys, as the settings
// keys.kek and keys.former have them. It asks nobody and opens nothing, so that
// a wrong address is known before anything starts.
package keyurl

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Kind says where a key lives. It is the scheme of its address.
type Kind string

// The kinds of keys.
const (
	File    Kind = "file"
	Transit Kind = "vault-transit" // HashiCorp Vault and OpenBao
	Azure   Kind = "azurekeyvault"
	AWS     Kind = "awskms"
	GCP     Kind = "gcpkms"
)

// maxName is what fits in front of a wrapped key, whose length is one byte.
const maxName = 255

// Key is an address that was read. Which fields are set depends on its kind.
type Key struct {
	Kind Kind
	// Name is the address without settings. It stands in front of all that the
	// key wraps, so what makes a name never changes. Files have none.
	Name string
	// File is the name of a key file.
	File string
	// Host of the service, with its port if there is one.
	Host string
	// Path is what the service calls the key, in parts: mount and key of
	// Transit; key and, if it is pinned, version of Azure; the ARN or the alias
	// of AWS; the resource name of GCP.
	Path []string
	// Region of AWS.
	Region string
	// Options are the settings behind the question mark.
	Options map[string]string
}

// form says how the addresses of a kind are written.
func form(kind Kind) string {
	switch kind {
	case File:
		return "file:NAME"
	case Transit:
		return "vault-transit://HOST[:PORT]/MOUNT/KEY?token=file:NAME"
	case Azure:
		return "azurekeyvault://NAME.vault.azure.net/KEY[/VERSION]"
	case AWS:
		return "awskms://ARN or awskms:///alias/NAME?region=REGION"
	case GCP:
		return "gcpkms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"
	}
	var all []string
	for _, kind := range []Kind{File, Transit, Azure, AWS, GCP} {
		all = append(all, form(kind))
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// Parse reads an address. Its errors are user errors with the code Settings;
// they show nothing that may be a secret.
func Parse(text string) (Key, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	kind := Kind(scheme)
	wrong := func(why string) (Key, error) {
		return Key{}, usererr.New(usererr.Settings, "The address of the key-encryption key "+why, "Use "+form(kind))
	}
	if kind == File {
		if rest == "" {
			return wrong("does not name the file")
		}
		return Key{Kind: File, File: rest}, nil
	}
	read := map[Kind]func(*address) string{Transit: transit, Azure: azure, AWS: aws, GCP: gcp}[kind]
	if read == nil {
		return wrong("has an unknown kind")
	}
	a, why := split(kind, rest)
	if why == "" {
		why = read(a)
	}
	if why == "" {
		why = a.unknown()
	}
	if why == "" && len(a.key.Name) > maxName {
		why = "is too long"
	}
	if why != "" {
		return wrong(why)
	}
	return a.key, nil
}

// address is one that is being read.
type address struct {
	key     Key
	rest    string // between // and ?
	allowed []string
}

// split takes the settings off. Not net/url reads the whole, since the ARNs
// of AWS have more colons than a URL may.
func split(kind Kind, text string) (*address, string) {
	a := &address{key: Key{Kind: kind, Options: map[string]string{}}}
	text, ok := strings.CutPrefix(text, "//")
	if !ok {
		return nil, "has no // behind its kind"
	}
	if strings.Contains(text, "#") {
		return nil, "has a fragment"
	}
	var query string
	a.rest, query, _ = strings.Cut(text, "?")
	if strings.Contains(a.rest, "@") {
		return nil, "has a user in it"
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, "has unreadable settings behind the question mark"
	}
	for name, all := range values {
		if len(all) > 1 {
			return nil, "has a setting behind the question mark twice"
		}
		a.key.Options[name] = all[0]
	}
	return a, ""
}

// unknown says whether there are settings that the kind does not have.
func (a *address) unknown() string {
	for _, name := range slices.Sorted(maps.Keys(a.key.Options)) {
		if !slices.Contains(a.allowed, name) {
			if !word.MatchString(name) {
				return "has unreadable settings behind the question mark"
			}
			return "has the unknown setting " + name
		}
	}
	return ""
}

var (
	word          = regexp.MustCompile(`^[a-z_]{1,32}$`)
	host          = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?$`)
	transitPart   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	azureHost     = regexp.MustCompile(`^[a-z0-9-]{1,63}\.(vault|managedhsm)\.(azure\.net|azure\.cn|usgovcloudapi\.net)$`)
	azureKey      = regexp.MustCompile(`^[A-Za-z0-9-]{1,127}$`)
	azureVersion  = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)
	azureIdentity = regexp.MustCompile(`^(system|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$`)
	awsARN        = regexp.MustCompile(`^arn:aws[a-z-]{0,16}:kms:([a-z0-9-]{1,32}):[0-9]{12}:(key/[A-Za-z0-9-]{1,64}|alias/[A-Za-z0-9/_-]{1,128})$`)
	awsAlias      = regexp.MustCompile(`^alias/[A-Za-z0-9/_-]{1,128}$`)
	awsRegion     = regexp.MustCompile(`^[a-z]{2,8}(-[a-z0-9]{1,16}){1,4}$`)
	gcpKey        = regexp.MustCompile(`^projects/[a-z0-9:.-]{1,64}/locations/[a-z0-9-]{1,32}/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)
)

// transit reads HOST[:PORT]/MOUNT/KEY; a mount may have several parts.
func transit(a *address) string {
	a.allowed = []string{"token", "namespace", "ca"}
	name, path, _ := strings.Cut(a.rest, "/")
	if !host.MatchString(name) {
		return "has no readable host"
	}
	parts := strings.Split(path, "/")
	if len(parts) < 2 {
		return "lacks the mount or the key"
	}
	for _, part := range parts {
		if !transitPart.MatchString(part) || strings.Trim(part, ".") == "" {
			return "has no readable mount and key"
		}
	}
	if file, ok := strings.CutPrefix(a.key.Options["token"], "file:"); !ok || file == "" {
		return "does not say in which file the token is"
	}
	a.key.Name, a.key.Host, a.key.Path = string(Transit)+"://"+a.rest, name, parts
	return ""
}

// azure reads HOST/KEY[/VERSION] ("Key Vault: object identifiers").
func azure(a *address) string {
	a.allowed = []string{"algorithm", "identity"}
	parts := strings.Split(a.rest, "/")
	name := strings.ToLower(parts[0])
	switch {
	case !azureHost.MatchString(name):
		return "does not name a Key Vault or a Managed HSM"
	case len(parts) < 2 || !azureKey.MatchString(parts[1]):
		return "has no readable key"
	case len(parts) > 3 || len(parts) == 3 && !azureVersion.MatchString(parts[2]):
		return "has no readable version"
	}
	switch a.key.Options["algorithm"] {
	case "", "RSA-OAEP-256":
	case "A256KW":
		if !strings.Contains(name, ".managedhsm.") {
			return "asks for A256KW, which only a Managed HSM has"
		}
	default:
		return "names an algorithm that is neither RSA-OAEP-256 nor A256KW"
	}
	if identity, ok := a.key.Options["identity"]; ok && !azureIdentity.MatchString(identity) {
		return "has an identity that is neither system nor a client id"
	}
	a.key.Host, a.key.Path = name, parts[1:]
	a.key.Name = string(Azure) + "://" + name + "/" + strings.Join(parts[1:], "/")
	return ""
}

// aws reads an ARN, or /alias/NAME with a region.
func aws(a *address) string {
	a.allowed = []string{"region"}
	name, region := strings.TrimPrefix(a.rest, "/"), a.key.Options["region"]
	if found := awsARN.FindStringSubmatch(name); found != nil {
		if region != "" && region != found[1] {
			return "names another region than its ARN"
		}
		a.key.Name, a.key.Region, a.key.Path = string(AWS)+"://"+name, found[1], []string{name}
		return ""
	}
	switch {
	case !awsAlias.MatchString(name):
		return "has neither the ARN of a key nor an alias"
	case !awsRegion.MatchString(region):
		return "has an alias without a readable region"
	}
	a.key.Name, a.key.Region, a.key.Path = string(AWS)+":///"+name+"?region="+region, region, []string{name}
	return ""
}

// gcp reads the resource name of a key. Its versions are the service's
// business: it finds by itself which one made a ciphertext.
func gcp(a *address) string {
	if !gcpKey.MatchString(a.rest) {
		return "does not name a key of Cloud KMS"
	}
	a.key.Name, a.key.Path = string(GCP)+"://"+a.rest, []string{a.rest}
	return ""
}
