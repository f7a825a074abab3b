package confluence_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

func TestMediaAddress(t *testing.T) {
	const cloud = "https://api.atlassian.com/ex/confluence/x/wiki"
	for _, tt := range []struct {
		base, target string
		want         bool
	}{
		{cloud, "https://api.media.atlassian.com/file/1/binary?token=x", true},
		{cloud, "https://API.Media.Atlassian.com/file", true},
		{"https://api.atlassian-us-gov-mod.com/x", "https://api.media.atlassian-us-gov-mod.com/file", true},
		{cloud, "http://api.media.atlassian.com/file", false},
		{cloud, "https://api.media.atlassian.com:8443/file", false},
		{cloud, "https://user@api.media.atlassian.com/file", false},
		{cloud, "https://evil.test/file", false},
		{cloud, "https://api.media.atlassian.com.evil.test/", false},
		{cloud, "https://evil.test#.atlassian.com", false},
		{cloud, "https://evil.test?.atlassian.com", false},
		{cloud, `https://api.media.atlassian.com\@evil.test/`, false},
		{cloud, "https://evilatlassian.com/", false},
		{cloud, "https://atlassian.com/", false},
		{cloud, "https://api.media.atlassian.com./", false},
		{cloud, "https://127.0.0.1/", false},
		{cloud, "https://[::1]/", false},
		{cloud, "https://[::ffff:127.0.0.1].atlassian.com/", false},
		{cloud, "https://2130706433/", false},
		{cloud, "https://169.254.169.254/latest", false},
		{cloud, "https://[fe80::1%25eth0]/", false},
		{cloud, "https://api.media.atlassian.com/\t", false},
		{cloud, "/file", false},
		{cloud, "//api.media.atlassian.com/file", false},
		{cloud, "javascript:alert(1)", false},
		{cloud, "", false},
		{"https://localhost.example/x", "https://media.example/", false},
		{"http://127.0.0.1:8080/x", "http://localhost:8080/_media/1", true},
		{"http://127.0.0.1:8080/x", "http://localhost:9090/_media/1", false},
		{"http://127.0.0.1:8080/x", "http://10.0.0.1:8080/", false},
		{"http://127.0.0.1:8080/x", "https://api.media.atlassian.com/", false},
	} {
		if got := confluence.MediaAddress(tt.base, tt.target); got != tt.want {
			t.Errorf("from %s to %s: %v", tt.base, tt.target, got)
		}
	}
}
