//go:build unix && !linux

package testenv

import "syscall"

func withParent(*syscall.SysProcAttr) {}
