package settings_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

// company is the sample with the company's sign-in.
func company(identity string) string {
	return strings.Replace(strings.Replace(sample, "identity: {session: {idle: 7d}}", "identity: "+identity, 1), "    oauth:", "    groups: [wiki-users]\n    oauth:", 1)
}

func TestTheCompanysSignIn(t *testing.T) {
	s, err := load(t, company(`
  oidc: {issuer: "https://login.example.com", client_id: vault, client_secret: "env:ACME_CLIENT_SECRET", groups_claim: roles, recheck: 30m}
  roles: {administrator: [it], auditor: [it, audit]}
  step_up: {tools: [confluence_update_page], max_age: 5m, acr: [high]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := s.Identity.OIDC.Config("https://vault.example.com", true, nil)
	if got.ClientSecret.Reveal() != "CANARY" || got.Redirect != "https://vault.example.com/oidc/callback" || got.GroupsClaim != "roles" || got.Kind != "" || got.Graph != oidc.DefaultGraph || s.Identity.OIDC.Recheck != 30*time.Minute {
		t.Errorf("%+v", got)
	}
	for group, want := range map[string]string{"it": "[] [administrator auditor]", "audit": "[] [auditor]", "wiki-users": "[acme] []", "": "[] []"} {
		people := s.People()
		tenants, roles := people.TenantsOf([]string{group}), people.RolesOf([]string{group})
		if got := strings.Join(strs(tenants), " "); "["+got+"] ["+strings.Join(strs(roles), " ")+"]" != want {
			t.Errorf("%s: %v %v, want %s", group, tenants, roles, want)
		}
	}
	if step := s.Rules().StepUp; step.MaxAge != 5*time.Minute || len(step.Tools) != 1 {
		t.Errorf("%+v", step)
	}
	for _, line := range s.Lines() {
		if line.Key == "identity.step_up.max_age" && line.Value != "5m" || strings.Contains(line.Value, "CANARY") {
			t.Errorf("%s is shown as %s", line.Key, line.Value)
		}
	}
}

func strs[T ~string](all []T) []string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}

func TestAWrongCompanySignIn(t *testing.T) {
	for text, want := range map[string]string{
		`{oidc: {issuer: "http://login.example.com", client_id: vault}}`:                                         "vault.yaml:14: identity.oidc.issuer: must be https",
		`{oidc: {issuer: "https://login.example.com"}}`:                                                          "identity.oidc.client_id: is needed",
		`{oidc: {client_id: vault}}`:                                                                             "identity.oidc.issuer: is needed",
		`{oidc: {issuer: "https://login.example.com", client_id: vault, client_secret: "LITERALSECRET"}}`:        "identity.oidc.client_secret: must be a reference",
		`{oidc: {issuer: "https://login.example.com", client_id: vault, issuers: x}}`:                            "identity.oidc.issuers: there is no such setting; did you mean issuer?",
		`{oidc: {issuer: "https://login.example.com", client_id: vault, kind: okta}}`:                            "identity.oidc.kind: must be standard or entra",
		`{oidc: {issuer: "https://login.example.com", client_id: vault, recheck: 0.1s}}`:                         "identity.oidc.recheck: must be",
		`{oidc: {issuer: "https://login.microsoftonline.com/common/v2.0", client_id: vault}}`:                    "identity.oidc.entra_tenants: is needed",
		`{oidc: {issuer: "https://login.example.com", client_id: vault}, step_up: {tools: [confluence_delete]}}`: `identity.step_up.tools: there is no tool "confluence_delete"`,
		`{oidc: {issuer: "https://login.example.com", client_id: vault}, step_up: {max_age: 5s}}`:                "identity.step_up.max_age: must be",
		`{step_up: {tools: [confluence_search]}}`:                                                                "identity.step_up.tools: needs the company's sign-in",
		`{roles: {auditor: [a]}}`: "identity.roles: needs the company's sign-in",
		`{}`:                      "tenants.acme.groups: belongs to the company's sign-in",
	} {
		_, err := load(t, company(text))
		if said := usererr.Text(err, ""); usererr.CodeOf(err) != usererr.Settings || !strings.Contains(said, want) || strings.Contains(said, "LITERALSECRET") {
			t.Errorf("%s: %s\nwant %s", text, said, want)
		}
	}
}

// TestNobodyIsInNoGroup: tenants without groups are everybody's, roles without
// groups nobody's.
func TestNobodyIsInNoGroup(t *testing.T) {
	s, err := load(t, sample)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]identity.TenantID{"acme"}, s.People().TenantsOf(nil)); diff != "" || s.People().NeedGroups() || s.People().RolesOf(nil) != nil {
		t.Error(diff)
	}
}
