//go:build !reactor

package main

import (
	"fmt"
	"os"
)

func main() {
	if err := greet(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
