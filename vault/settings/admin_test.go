package settings_test

import (
	"strings"
	"testing"
)

const goodKey = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestAdminKeys(t *testing.T) {
	text := sample + "admin: {keys: {ops: {role: administrator, key: \"env:OPS\"}}}\n"
	s, err := load(t, text, "OPS="+goodKey+"\n")
	if err != nil || s.Admin.Keys["ops"].Secret.Reveal() != goodKey {
		t.Fatalf("%v", err)
	}
	for _, line := range s.Lines() {
		if strings.Contains(line.Value, goodKey) {
			t.Errorf("%s shows the key", line.Key)
		}
	}
	for name, test := range map[string]struct{ keys, env, want string }{
		"too short":   {`{ops: {role: auditor, key: "env:OPS"}}`, "OPS=" + goodKey[:42], "admin.keys.ops.key: what it refers to is no key"},
		"not random":  {`{ops: {role: auditor, key: "env:OPS"}}`, "OPS=" + strings.Repeat("changeme", 10), "at least 32 random bytes"},
		"not text":    {`{ops: {role: auditor, key: "env:OPS"}}`, "OPS=" + goodKey + " é", "at least 32 random bytes"},
		"no role":     {`{ops: {key: "env:OPS"}}`, "OPS=" + goodKey, "admin.keys.ops.role: must be administrator or auditor"},
		"wrong role":  {`{ops: {role: root, key: "env:OPS"}}`, "OPS=" + goodKey, "must be administrator or auditor"},
		"no key":      {`{ops: {role: auditor}}`, "", "admin.keys.ops.key: is needed"},
		"the secret":  {`{ops: {role: auditor, key: "` + goodKey + `"}}`, "", "never the secret itself"},
		"strange":     {`{"Ops Team": {role: auditor, key: "env:OPS"}}`, "OPS=" + goodKey, "the name of a key"},
		"twice":       {`{ops: {role: auditor, key: "env:OPS"}, two: {role: administrator, key: "env:OPS"}}`, "OPS=" + goodKey, "is the same key as that of ops"},
		"nothing set": {`{ops: {role: auditor, key: "env:NO"}}`, "", "the environment has no NO"},
	} {
		_, err := load(t, sample+"admin: {keys: "+test.keys+"}\n", test.env)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), goodKey) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}
