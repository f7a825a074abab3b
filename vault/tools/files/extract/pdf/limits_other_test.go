//go:build !unix || darwin

package pdf_test

func tellLimits() {}
