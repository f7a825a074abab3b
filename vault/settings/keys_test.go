package settings_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// TestKeys: what is wrong with the address of a key is said with its line, and
// with how to write it.
func TestKeys(t *testing.T) {
	const version = "0123456789abcdef0123456789abcdef"
	for keys, wrong := range map[string]string{
		`{kek: "file:kek"}`: "",
		`{kek: "azurekeyvault://acme.vault.azure.net/kek", former: ["file:kek", "azurekeyvault://acme.vault.azure.net/kek/` + version + `"]}`: "",
		`{kek: "awskms:///alias/coatcheck?region=eu-central-1"}`:                                                                              "",
		`{kek: "gcpkms://projects/p/locations/global/keyRings/r/cryptoKeys/k"}`:                                                               "",
		`{kek: "vault-transit://vault.example:8200/transit/kek?token=file:token"}`:                                                            "",
		`{kek: "kek"}`: "keys.kek: The address of the key-encryption key has an unknown kind: Use file:NAME, vault-transit://",
		`{kek: "azurekeyvault://acme.vault.azure.com/kek"}`:                                      "keys.kek: The address of the key-encryption key does not name a Key Vault or a Managed HSM: Use azurekeyvault://NAME.vault.azure.net/KEY[/VERSION]",
		`{kek: "awskms:///alias/coatcheck"}`:                                                     "without a readable region: Use awskms://ARN or awskms:///alias/NAME?region=REGION",
		`{kek: "gcpkms://projects/p/cryptoKeys/k"}`:                                              "does not name a key of Cloud KMS: Use gcpkms://projects/PROJECT",
		`{kek: "vault-transit://joe:CANARY@vault.example/transit/kek?token=file:t"}`:             "has a user in it",
		`{kek: "file:a", former: ["file:b", "azurekeyvault://acme.vault.azure.net/kek?CANARY"]}`: "keys.former: number 2: The address of the key-encryption key has unreadable settings",
		`{kek: "file:a", former: ["file:a"]}`:                                                    "is keys.kek, too",
		`{kek: "file:a", former: ["file:b", "file:b"]}`:                                          "stands here a second time",
	} {
		_, err := load(t, strings.Replace(sample, `{kek: "file:kek"}`, keys, 1))
		text := usererr.Text(err, "")
		if (err == nil) != (wrong == "") || !strings.Contains(text, wrong) || strings.Contains(text, "CANARY") || wrong != "" && !strings.Contains(text, "vault.yaml:") {
			t.Errorf("%s: %v; want %q", keys, err, wrong)
		}
	}
}
