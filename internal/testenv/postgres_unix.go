//go:build unix

package testenv

import (
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// somebody is whom PostgreSQL runs as, since it refuses to run as root; nil is
// whoever runs the tests.
func somebody() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}
		}
	}
	return nil
}

// give makes dir theirs.
func give(dir string) error {
	if who := somebody(); who != nil {
		return os.Chown(dir, int(who.Uid), int(who.Gid))
	}
	return nil
}

// become makes cmd run as them.
func become(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: somebody()}
	withParent(cmd.SysProcAttr)
}

// launch starts cmd from a thread that lives as long as it. stop signals it
// and waits for its end.
func launch(cmd *exec.Cmd) (stop func(os.Signal), err error) {
	started, ended := make(chan error, 1), make(chan struct{})
	go func() { // ends with the process
		runtime.LockOSThread() // the parent is a thread, not the program
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func(signal os.Signal) {
		_ = cmd.Process.Signal(signal)
		<-ended
	}, nil
}
