package keyurl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

const (
	arn     = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	gcp     = "projects/acme-prod/locations/europe-west3/keyRings/coatcheck/cryptoKeys/kek"
	version = "0123456789abcdef0123456789abcdef"
)

func TestParse(t *testing.T) {
	none := map[string]string{}
	for text, want := range map[string]keyurl.Key{
		"file:kek":       {Kind: keyurl.File, File: "kek"},
		"file:/run/a?b#": {Kind: keyurl.File, File: "/run/a?b#"},
		"vault-transit://vault.example:8200/team/transit/key?token=file:t&ca=file:c": {
			Kind: keyurl.Transit, Name: "vault-transit://vault.example:8200/team/transit/key", Host: "vault.example:8200",
			Path: []string{"team", "transit", "key"}, Options: map[string]string{"token": "file:t", "ca": "file:c"},
		},
		"azurekeyvault://ACME.vault.azure.net/kek": {
			Kind: keyurl.Azure, Name: "azurekeyvault://acme.vault.azure.net/kek", Host: "acme.vault.azure.net", Path: []string{"kek"}, Options: none,
		},
		"azurekeyvault://acme.managedhsm.azure.cn/kek/" + version + "?algorithm=A256KW&identity=system": {
			Kind: keyurl.Azure, Name: "azurekeyvault://acme.managedhsm.azure.cn/kek/" + version, Host: "acme.managedhsm.azure.cn",
			Path: []string{"kek", version}, Options: map[string]string{"algorithm": "A256KW", "identity": "system"},
		},
		"awskms://" + arn:  {Kind: keyurl.AWS, Name: "awskms://" + arn, Region: "eu-central-1", Path: []string{arn}, Options: none},
		"awskms:///" + arn: {Kind: keyurl.AWS, Name: "awskms://" + arn, Region: "eu-central-1", Path: []string{arn}, Options: none},
		"awskms:///alias/team/kek?region=us-gov-west-1": {
			Kind: keyurl.AWS, Name: "awskms:///alias/team/kek?region=us-gov-west-1", Region: "us-gov-west-1",
			Path: []string{"alias/team/kek"}, Options: map[string]string{"region": "us-gov-west-1"},
		},
		"gcpkms://" + gcp: {Kind: keyurl.GCP, Name: "gcpkms://" + gcp, Path: []string{gcp}, Options: none},
	} {
		got, err := keyurl.Parse(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Parse(%q): %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "has an unknown kind",
		"CANARY":                      "has an unknown kind",
		"https://CANARY":              "has an unknown kind",
		"file:":                       "does not name the file",
		"vault-transit:host/m/k":      "has no // behind its kind",
		"vault-transit://h/m/k":       "in which file the token is",
		"vault-transit://h/k?token=x": "lacks the mount or the key",
		"vault-transit://h/m/k?token=file:t&token=file:CANARY":       "twice",
		"azurekeyvault://joe:CANARY@acme.vault.azure.net/kek":        "has a user",
		"azurekeyvault://acme.vault.azure.com/kek":                   "does not name a Key Vault",
		"azurekeyvault://acme.vault.azure.net.evil.example/kek":      "does not name a Key Vault",
		"azurekeyvault://acme.vault.azure.net:8443/kek":              "does not name a Key Vault",
		"azurekeyvault://acme/kek":                                   "does not name a Key Vault",
		"azurekeyvault://acme.vault.azure.net":                       "no readable key",
		"azurekeyvault://acme.vault.azure.net/":                      "no readable key",
		"azurekeyvault://acme.vault.azure.net/keys/kek":              "no readable version",
		"azurekeyvault://acme.vault.azure.net/kek/" + version + "/x": "no readable version",
		"azurekeyvault://acme.vault.azure.net/kek?algorithm=RSA1_5":  "neither RSA-OAEP-256 nor A256KW",
		"azurekeyvault://acme.vault.azure.net/kek?algorithm=A256KW":  "only a Managed HSM",
		"azurekeyvault://acme.vault.azure.net/kek?identity=CANARY":   "neither system nor a client id",
		"azurekeyvault://acme.vault.azure.net/kek?colour=CANARY":     "unknown setting colour",
		"azurekeyvault://acme.vault.azure.net/kek?CANARY":            "unreadable settings",
		"azurekeyvault://acme.vault.azure.net/kek?%zz":               "unreadable settings",
		"azurekeyvault://acme.vault.azure.net/kek#x":                 "fragment",
		"awskms://": "neither the ARN of a key nor an alias",
		"awskms://1234abcd-12ab-34cd-56ef-1234567890ab":    "neither the ARN of a key nor an alias",
		"awskms:///alias/kek":                              "without a readable region",
		"awskms:///alias/kek?region=Frankfurt":             "without a readable region",
		"awskms://" + arn + "?region=us-east-1":            "another region than its ARN",
		"awskms://" + strings.Replace(arn, "kms", "s3", 1): "neither the ARN",
		"awskms://" + strings.Replace(arn, "3333", "", 1):  "neither the ARN",
		"awskms:///alias/kek?region=eu-west-1&endpoint=x":  "unknown setting endpoint",
		"gcpkms://": "does not name a key of Cloud KMS",
		"gcpkms://" + gcp + "/cryptoKeyVersions/1":                                         "does not name a key of Cloud KMS",
		"gcpkms:///" + gcp:                                                                 "does not name a key of Cloud KMS",
		"gcpkms://" + gcp + "?credentials=CANARY":                                          "unknown setting credentials",
		"gcpkms://" + strings.Replace(gcp, "kek", "k k", 1):                                "does not name a key of Cloud KMS",
		"vault-transit://h/m/k?token=file:t&namespace=" + strings.Repeat("n", 300) + "&x=": "unknown setting x",
		"vault-transit://" + strings.Repeat("h", 250) + "/mount/key?token=file:t":          "too long",
	} {
		_, err := keyurl.Parse(text)
		if got := usererr.Text(err, ""); usererr.CodeOf(err) != usererr.Settings || !strings.Contains(got, want) || strings.Contains(fmt.Sprint(got, err), "CANARY") {
			t.Errorf("Parse(%q) = %q; want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"file:kek", "vault-transit://h/m/k?token=file:t", "azurekeyvault://a.vault.azure.net/k", "awskms://" + arn, "awskms:///alias/k?region=eu-west-1", "gcpkms://" + gcp} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := keyurl.Parse(text)
		if err != nil {
			if usererr.CodeOf(err) != usererr.Settings {
				t.Errorf("Parse(%q) = %v", text, err)
			}
			return
		}
		if len(key.Name) > 255 || (key.Name == "") != (key.Kind == keyurl.File) {
			t.Errorf("Parse(%q) names it %q", text, key.Name)
		}
		// A name is an address itself, but for what it needs to be asked.
		again, err := keyurl.Parse(key.Name)
		if key.Kind != keyurl.File && key.Kind != keyurl.Transit && (err != nil || again.Name != key.Name) {
			t.Errorf("Parse(%q) is named %q, then %q, %v", text, key.Name, again.Name, err)
		}
	})
}
