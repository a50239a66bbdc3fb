// A skill in Go, of the first ABI, as those for loqa-core are: it answers a message on the bus with another.
//
// As a command main runs it, as a reactor the host calls run; the rest is the same.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"unsafe"
)

//go:wasmimport env host_log
func hostLog(text unsafe.Pointer, size uint32)

//go:wasmimport env host_publish
func hostPublish(subject unsafe.Pointer, subjectSize uint32, payload unsafe.Pointer, size uint32) int32

func log(line string) {
	text := []byte(line)
	hostLog(unsafe.Pointer(unsafe.SliceData(text)), uint32(len(text)))
}

func publish(subject string, payload any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	to := []byte(subject)
	code := hostPublish(unsafe.Pointer(unsafe.SliceData(to)), uint32(len(to)), unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
	if code != 0 {
		return fmt.Errorf("publishing on %s: the host says %d", subject, code)
	}
	return nil
}

type greeted struct {
	Text       string `json:"text"`
	Invocation string `json:"invocation"`
}

func greet() error {
	var wanted struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal([]byte(os.Getenv("LOQA_EVENT_PAYLOAD")), &wanted); err != nil {
		return fmt.Errorf("the message on %s: %w", os.Getenv("LOQA_EVENT_SUBJECT"), err)
	}
	log("greeting " + wanted.Name)
	return publish("example.greeted", greeted{"Hello, " + wanted.Name + "!", os.Getenv("LOQA_INVOCATION_ID")})
}
