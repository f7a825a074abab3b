package main

import "os"

// polled returns in as it is: here a pipe of the client's is read by a thread.
func polled(in *os.File, _ ...*os.File) (file *os.File, restore func()) { return in, func() {} }
