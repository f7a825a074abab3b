package testenv

import "syscall"

// withParent ends a process with the thread that started it.
func withParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
