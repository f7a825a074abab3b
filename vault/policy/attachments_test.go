package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

func TestFiles(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		rules policy.Attachments
		off   bool
		file  policy.File
		no    string // what is said, "" if it is allowed
	}{
		{file: policy.File{Name: "a.exe", MediaType: "application/x-msdownload", Size: 1 << 40}},
		{off: true, file: policy.File{Name: "a.txt"}, no: "switched off"},
		{rules: policy.Attachments{DeniedTypes: []string{".EXE"}}, file: policy.File{Name: "Setup.Exe"}, no: "kind"},
		{rules: policy.Attachments{DeniedTypes: []string{".exe"}}, file: policy.File{Name: "setup.exe. . "}, no: "kind"},
		{rules: policy.Attachments{DeniedTypes: []string{".exe"}}, file: policy.File{Name: "setup.exe:stream"}, no: "kind"},
		{rules: policy.Attachments{DeniedTypes: []string{".exe"}}, file: policy.File{Name: "setup.exe.txt"}},
		{rules: policy.Attachments{DeniedTypes: []string{".tar.gz"}}, file: policy.File{Name: "a.tar.gz"}, no: "kind"},
		{rules: policy.Attachments{DeniedTypes: []string{"video/*"}}, file: policy.File{Name: "a", MediaType: "Video/MP4; codecs=x"}, no: "kind"},
		{rules: policy.Attachments{DeniedTypes: []string{"video/*"}}, file: policy.File{Name: "a.txt"}, no: "kind"}, // unknown
		{rules: policy.Attachments{DeniedTypes: []string{"video/mp4"}}, file: policy.File{Name: "a", MediaType: "video/mp4v"}},
		{rules: policy.Attachments{AllowedTypes: []string{".pdf", "image/*"}}, file: policy.File{Name: "a.pdf", MediaType: "x/y"}},
		{rules: policy.Attachments{AllowedTypes: []string{".pdf", "image/*"}}, file: policy.File{Name: "a", MediaType: "image/png"}},
		{rules: policy.Attachments{AllowedTypes: []string{".pdf", "image/*"}}, file: policy.File{Name: "a.doc", MediaType: "application/msword"}, no: "kind"},
		{rules: policy.Attachments{AllowedTypes: []string{".pdf", "image/*"}}, file: policy.File{Name: "a.png"}, no: "kind"}, // unknown
		{rules: policy.Attachments{AllowedTypes: []string{"image/*"}, DeniedTypes: []string{".svg"}}, file: policy.File{Name: "a.svg", MediaType: "image/svg+xml"}, no: "kind"},
		{rules: policy.Attachments{MaxMiB: 2}, file: policy.File{Name: "a", Size: 2 * mib}},
		{rules: policy.Attachments{MaxMiB: 2}, file: policy.File{Name: "a", Size: 2*mib + 1}, no: "more than 2 MiB"},
		{rules: policy.Attachments{MaxMiB: 2}, file: policy.File{Name: "a", Size: -1}, no: "more than 2 MiB"},
	} {
		p, err := policy.New(policy.Rules{Attachments: tt.rules, NoFiles: tt.off})
		if err != nil {
			t.Fatal(err)
		}
		err = p.File(tt.file)
		if (err == nil) != (tt.no == "") || err != nil && (!errors.Is(err, policy.ErrDenied) || !strings.Contains(err.Error(), tt.no)) {
			t.Errorf("%+v, %+v: got %v, want %q", tt.rules, tt.file, err, tt.no)
		}
	}
	if none := (*policy.Policy)(nil); !errors.Is(none.File(policy.File{Name: "a"}), policy.ErrDenied) {
		t.Error("without a policy a file is allowed")
	}
}

func TestRulesOfFilesAreChecked(t *testing.T) {
	for _, tt := range []struct {
		rules policy.Attachments
		wrong string
	}{
		{policy.Attachments{AllowedTypes: []string{"exe"}}, `governance.attachments.allowed_types: "exe" is neither`},
		{policy.Attachments{DeniedTypes: []string{".exe."}}, "governance.attachments.denied_types"},
		{policy.Attachments{DeniedTypes: []string{"*/*"}}, "governance.attachments.denied_types"},
		{policy.Attachments{DeniedTypes: []string{"image/"}}, "governance.attachments.denied_types"},
		{policy.Attachments{DeniedTypes: []string{"."}}, "governance.attachments.denied_types"},
		{policy.Attachments{DeniedTypes: []string{""}}, "governance.attachments.denied_types"},
		{policy.Attachments{DeniedTypes: make([]string, 300)}, "300 kinds"},
		{policy.Attachments{MaxMiB: -1}, "governance.attachments.max_mib"},
		{policy.Attachments{AllowedTypes: []string{".7z", ".c++", "application/vnd.ms-excel.sheet.macroEnabled.12", "audio/*"}, MaxMiB: 100}, ""},
	} {
		_, err := policy.New(policy.Rules{Attachments: tt.rules})
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%+v: got %v, want %q", tt.rules, err, tt.wrong)
		}
	}
}
