//go:build unix && !darwin

package pdf_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/extract/pdf"
)

// tellLimits is what the test's program does to tell how much time its process
// has once it has read something.
func tellLimits() {
	_ = pdf.Serve(strings.NewReader(""), os.Stdout)
	var cpu syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_CPU, &cpu)
	fmt.Print(cpu.Max)
}

// Whoever began the process may be gone when its time is over.
func TestTheProcessEndsByItself(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(name, "limits").Output()
	if seconds, _ := strconv.ParseUint(string(out), 10, 64); err != nil || seconds == 0 || seconds > 60 {
		t.Errorf("%s seconds, %v", out, err)
	}
}
