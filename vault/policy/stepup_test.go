package policy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

func TestStepUp(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	compile := func(s policy.StepUp) *policy.Policy {
		s.Tools = []string{"confluence_update_page"}
		p, err := policy.New(policy.Rules{StepUp: s})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	plain, strict := compile(policy.StepUp{}), compile(policy.StepUp{MaxAge: time.Minute, ACR: []string{"high"}, AMR: []string{"hwk"}})
	for name, test := range map[string]struct {
		p    *policy.Policy
		s    identity.SignIn
		good bool
	}{
		"just now":               {plain, identity.SignIn{Time: now, AMR: []string{"pwd", "mfa"}}, true},
		"within ten minutes":     {plain, identity.SignIn{Time: now.Add(-10 * time.Minute), AMR: []string{"mfa"}}, true},
		"a clock that is behind": {strict, identity.SignIn{Time: now.Add(-time.Minute - identity.Leeway), AMR: []string{"hwk"}}, true},
		"a clock that is ahead":  {plain, identity.SignIn{Time: now.Add(identity.Leeway), AMR: []string{"mfa"}}, true},
		"of the future":          {plain, identity.SignIn{Time: now.Add(identity.Leeway + time.Second), AMR: []string{"mfa"}}, false},
		"a moment too long ago":  {plain, identity.SignIn{Time: now.Add(-10*time.Minute - identity.Leeway - time.Millisecond), AMR: []string{"mfa"}}, false},
		"only a password":        {plain, identity.SignIn{Time: now, AMR: []string{"pwd"}}, false},
		"who knows when":         {plain, identity.SignIn{AMR: []string{"mfa"}}, false},
		"who knows how":          {plain, identity.SignIn{Time: now}, false},
		"a context is enough":    {strict, identity.SignIn{Time: now, ACR: []string{"low", "high"}}, true},
		"a method is enough":     {strict, identity.SignIn{Time: now, AMR: []string{"hwk"}}, true},
		"mfa is not asked for":   {strict, identity.SignIn{Time: now, AMR: []string{"mfa"}}, false},
		"no sign-in at all":      {strict, identity.SignIn{}, false},
		"without a policy":       {nil, identity.SignIn{Time: now, AMR: []string{"mfa"}}, false},
	} {
		if err := test.p.SteppedUp(test.s, now); (err == nil) != test.good || err != nil && !errors.Is(err, policy.ErrStepUp) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var none *policy.Policy
	if !plain.NeedsStepUp("confluence_update_page") || plain.NeedsStepUp("confluence_search") || !none.NeedsStepUp("confluence_search") {
		t.Error("the wrong tools need it")
	}
}

func TestPeople(t *testing.T) {
	p := &policy.People{
		Tenants: map[identity.TenantID][]string{"acme": {"a", "b"}, "labs": {"b"}, "open": nil},
		Roles:   map[identity.Role][]string{identity.Administrator: {"it"}, identity.Auditor: nil},
	}
	for _, test := range []struct {
		groups  []string
		tenants int
		roles   int
	}{{nil, 1, 0}, {[]string{"a"}, 2, 0}, {[]string{"b", "it"}, 3, 1}, {[]string{"A"}, 1, 0}, {[]string{""}, 1, 0}} {
		if tenants, roles := p.TenantsOf(test.groups), p.RolesOf(test.groups); len(tenants) != test.tenants || len(roles) != test.roles {
			t.Errorf("%q: %v, %v", test.groups, tenants, roles)
		}
	}
	if !p.NeedGroups() || (&policy.People{Tenants: map[identity.TenantID][]string{"open": nil}}).NeedGroups() {
		t.Error("groups are needed where they decide nothing, or the other way round")
	}
}
