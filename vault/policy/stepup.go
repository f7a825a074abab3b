package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// ErrStepUp is returned for a call that needs a fresh sign-in first.
var ErrStepUp = errors.New("a fresh sign-in is needed")

// StepUp is the settings group identity.step_up: which tools need a fresh
// sign-in with the company, and one that was more than a password.
type StepUp struct {
	Tools []string `yaml:"tools" json:"tools,omitempty"`
	// MaxAge is how long ago the person may have shown who they are, besides
	// what the provider's clock may be behind ([identity.Leeway]).
	MaxAge time.Duration `yaml:"max_age" json:"max_age,omitempty"` // default 10 minutes
	// ACR are authentication contexts and AMR methods of which one is enough.
	// Without either, the method must be "mfa" (RFC 8176).
	ACR []string `yaml:"acr" json:"acr,omitempty"`
	AMR []string `yaml:"amr" json:"amr,omitempty"`
}

// Defaults and bounds of [StepUp].
const (
	DefaultStepUpAge = 10 * time.Minute
	leastStepUpAge   = time.Minute
	mostStepUpAge    = 24 * time.Hour
	multiFactor      = "mfa"
)

// ToolNames are the tools that a setting may name.
func ToolNames() []string {
	return []string{
		"confluence_search", "confluence_list_spaces", "confluence_get_tree", "confluence_get_page", "confluence_create_page",
		"confluence_update_page", "confluence_edit_page", "confluence_manage_page", "confluence_versions",
		"confluence_get_comments", "confluence_comment", "confluence_labels",
		"confluence_get_attachment", "confluence_upload_attachment", "confluence_download_attachment",
		"confluence_get_properties", "confluence_set_property", "confluence_get_tasks", "confluence_set_task",
		"confluence_get_restrictions", "confluence_set_restrictions", "confluence_find_people", "confluence_get_activity", "confluence_react",
		"confluence_templates", "confluence_get_content", "confluence_create_content", "confluence_create_space", "confluence_space_permissions",
		"confluence_export", "confluence_request",
	}
}

// withDefaults fills what was left out.
func (s StepUp) withDefaults() StepUp {
	if s.MaxAge == 0 {
		s.MaxAge = DefaultStepUpAge
	}
	if len(s.ACR) == 0 && len(s.AMR) == 0 {
		s.AMR = []string{multiFactor}
	}
	return s
}

func (s StepUp) check() error {
	var problems []error
	for _, tool := range s.Tools {
		if !slices.Contains(ToolNames(), tool) {
			problems = append(problems, fmt.Errorf("identity.step_up.tools: there is no tool %q", tool))
		}
	}
	if s.MaxAge < leastStepUpAge || s.MaxAge > mostStepUpAge {
		problems = append(problems, errors.New("identity.step_up.max_age: must be from a minute to a day"))
	}
	return errors.Join(problems...)
}

// StepUp returns how a person has to sign in for the tools that need it.
func (p *Policy) StepUp() StepUp { return p.stepUp }

// NeedsStepUp reports whether a tool needs a fresh sign-in.
func (p *Policy) NeedsStepUp(tool string) bool {
	return p == nil || slices.Contains(p.stepUp.Tools, tool)
}

// SteppedUp returns nil if the person of a sign-in may use the tools that need
// a fresh one at the time now, else [ErrStepUp].
func (p *Policy) SteppedUp(s identity.SignIn, now time.Time) error {
	if p == nil || !s.Fresh(p.stepUp.MaxAge, now) || !p.Strong(s) {
		return ErrStepUp
	}
	return nil
}

// Strong reports whether a person has shown by more than a password who they
// are.
func (p *Policy) Strong(s identity.SignIn) bool {
	return p != nil && (shared(p.stepUp.ACR, s.ACR) || shared(p.stepUp.AMR, s.AMR))
}

func shared(wanted, given []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(given, w) })
}
