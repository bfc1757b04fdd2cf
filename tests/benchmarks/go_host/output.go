package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// marks tells a flood's lines from what go-plugin itself logs. Of stdout every
// byte counts.
var marks = map[string]string{
	"stdout": "", "hclog": "stored a value", "text": "listening for requests",
}

func knownOutput(kind string) bool {
	_, known := marks[kind]
	return known || kind == ""
}

// tally counts what arrives: lines with a mark, of which hclog writes one at a
// time, or bytes.
type tally struct {
	mark []byte
	left atomic.Int64
	done chan struct{}
}

func (t *tally) Write(p []byte) (int, error) {
	arrived := int64(len(p))
	if len(t.mark) > 0 {
		arrived = 1
		if !bytes.Contains(p, t.mark) {
			return len(p), nil
		}
	}
	if t.left.Add(-arrived) == 0 {
		t.done <- struct{}{}
	}
	return len(p), nil
}

// outputRate is one flood: from the call that asks for it until all of it has
// arrived.
type outputRate struct {
	Bench     string  `json:"bench"` // "output"
	Host      string  `json:"host"`
	AutoMTLS  bool    `json:"automtls"`
	Output    string  `json:"output"`
	Count     int     `json:"count"`   // bytes or lines
	Dropped   int     `json:"dropped"` // go-plugin drops nothing
	Wall      int64   `json:"wall_us"`
	Processor int64   `json:"host_cpu_us"`
	PerS      float64 `json:"per_second"`
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (s *session) flood(f flags, t *tally, count int) outputRate {
	t.left.Store(int64(count))
	processor := processorTime()
	begin := time.Now()
	s.must(s.call("get", fmt.Sprintf("!flood-%s:%d", f.output, count), nil))
	select {
	case <-t.done:
	case <-time.After(time.Minute):
		s.must(fmt.Errorf("%d of %d have not arrived", t.left.Load(), count))
	}
	wall := time.Since(begin)
	return outputRate{
		Bench: "output", Host: "go", AutoMTLS: f.autoMTLS, Output: f.output,
		Count: count, Wall: wall.Microseconds(),
		Processor: (processorTime() - processor).Microseconds(),
		PerS:      float64(count) / wall.Seconds(),
	}
}

func measureOutput(f flags, out *json.Encoder) {
	if f.output == "" {
		return
	}
	t := &tally{mark: []byte(marks[f.output]), done: make(chan struct{}, 1)}
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Off})
	var stdout io.Writer = t
	if f.output != "stdout" {
		// Formats every line, for a writer that throws it away.
		logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: t})
		stdout = nil
	}
	s := &session{client: newClient(f, logger, stdout)}
	s.open()
	defer s.client.Kill()
	s.flood(f, t, f.count/10+1) // warms up
	_ = out.Encode(s.flood(f, t, f.count))
}
