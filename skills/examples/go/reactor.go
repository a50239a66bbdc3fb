//go:build reactor

package main

//go:wasmexport run
func run() {
	if err := greet(); err != nil {
		panic(err)
	}
}

func main() {}
