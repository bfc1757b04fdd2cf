// A stock go-plugin v1.8.0 host that measures a KV plugin, for comparison with
// the same measurements by a C++ host. Prints one JSON object a line; all
// times are microseconds.
//
//	go_host [flags] PLUGIN [ARGS...]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc"
)

type flags struct {
	launches, calls, warmup, parallel, size, count int
	autoMTLS, mux                                  bool
	call, output, directory                        string
	command                                        []string
}

func parseFlags() flags {
	var f flags
	flag.IntVar(&f.launches, "launches", 20, "cold starts, one after the other; 0: none")
	flag.IntVar(&f.calls, "calls", 5000, "unary calls on one connection; 0: none")
	flag.IntVar(&f.warmup, "warmup", 500, "calls before those")
	flag.IntVar(&f.parallel, "parallel", 1, "callers at the same time")
	flag.IntVar(&f.size, "size", 16, "bytes of the value")
	flag.BoolVar(&f.autoMTLS, "automtls", false, "AutoMTLS")
	flag.BoolVar(&f.mux, "mux", false, "GRPCBrokerMultiplex")
	flag.StringVar(&f.call, "call", "get", "get, put or ping (the health check, no file)")
	flag.StringVar(&f.output, "output", "", "stdout, hclog or text: what the plugin floods the host with")
	flag.IntVar(&f.count, "count", 100000, "bytes (stdout) or lines of that")
	flag.StringVar(&f.directory, "cwd", "", "the plugin's working directory (default: a new one)")
	flag.Parse()
	f.command = flag.Args()
	known := f.call == "get" || f.call == "put" || f.call == "ping"
	if len(f.command) == 0 || !known || !knownOutput(f.output) {
		fmt.Fprintln(os.Stderr, "usage: go_host [flags] PLUGIN [ARGS...]")
		flag.PrintDefaults()
		os.Exit(64)
	}
	return f
}

type kvPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (kvPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (kvPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return proto.NewKVClient(c), nil
}

// execClock notes when the library says that the process runs. Its API does
// not tell.
type execClock struct{ started time.Time }

func (c *execClock) Accept(_ string, _ hclog.Level, message string, _ ...interface{}) {
	if message == "plugin started" {
		c.started = time.Now()
	}
}

// coldStart is one launch. Every time counts from the call of Start; those of
// the C++ host have the same names.
type coldStart struct {
	Bench    string `json:"bench"` // "cold_start"
	Host     string `json:"host"`  // "go"
	AutoMTLS bool   `json:"automtls"`
	Index    int    `json:"index"`
	Spawn    int64  `json:"spawn_us"`    // the process runs
	Line     int64  `json:"line_us"`     // its line was accepted
	Ready    int64  `json:"ready_us"`    // the stub is there (Go connects lazily)
	Reply    int64  `json:"reply_us"`    // the first call was answered
	Shutdown int64  `json:"shutdown_us"` // Kill, until the process is gone
}

type session struct {
	client   *plugin.Client
	protocol plugin.ClientProtocol
	kv       proto.KVClient
}

func newClient(f flags, logger hclog.Logger, stdout io.Writer) *plugin.Client {
	command := exec.Command(f.command[0], f.command[1:]...)
	command.Dir = f.directory
	return plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "BASIC_PLUGIN", MagicCookieValue: "hello",
		},
		Plugins:          plugin.PluginSet{"kv_grpc": kvPlugin{}},
		Cmd:              command,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         f.autoMTLS,

		GRPCBrokerMultiplex: f.mux,

		Logger:     logger,
		SyncStdout: stdout,
	})
}

// open connects to a plugin, and starts it if that was not done.
func (s *session) open() {
	var err error
	s.protocol, err = s.client.Client()
	s.must(err)
	raw, err := s.protocol.Dispense("kv_grpc")
	s.must(err)
	s.kv = raw.(proto.KVClient)
}

func start(f flags) (*session, coldStart) {
	var clock execClock
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off})
	logger.RegisterSink(&clock)
	r := coldStart{Bench: "cold_start", Host: "go", AutoMTLS: f.autoMTLS}
	begin := time.Now()
	since := func(t time.Time) int64 { return t.Sub(begin).Microseconds() }
	s := &session{client: newClient(f, logger, nil)}
	_, err := s.client.Start()
	s.must(err)
	r.Line = since(time.Now())
	r.Spawn = since(clock.started)
	s.open()
	r.Ready = since(time.Now())
	s.must(s.call("put", "bench", []byte("first")))
	r.Reply = since(time.Now())
	return s, r
}

func (s *session) call(kind, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	switch kind {
	case "put":
		_, err = s.kv.Put(ctx, &proto.PutRequest{Key: key, Value: value})
	case "get":
		_, err = s.kv.Get(ctx, &proto.GetRequest{Key: key})
	case "ping":
		err = s.protocol.Ping()
	}
	return err
}

func (s *session) must(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "go_host:", err)
	s.client.Kill()
	os.Exit(1)
}

// summary of many times.
type summary struct {
	Bench    string  `json:"bench"`
	Host     string  `json:"host"`
	AutoMTLS bool    `json:"automtls"`
	Call     string  `json:"call,omitempty"`
	Size     int     `json:"size,omitempty"`
	Parallel int     `json:"parallel,omitempty"`
	Count    int     `json:"count"`
	Min      float64 `json:"min_us"`
	P50      float64 `json:"p50_us"`
	P90      float64 `json:"p90_us"`
	P99      float64 `json:"p99_us"`
	Mean     float64 `json:"mean_us"`
	PerS     float64 `json:"per_second,omitempty"`
}

func summarize(bench string, f flags, times []time.Duration) summary {
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	at := func(share float64) float64 {
		return float64(times[int(share*float64(len(times)-1))].Nanoseconds()) / 1e3
	}
	var sum time.Duration
	for _, t := range times {
		sum += t
	}
	return summary{
		Bench: bench, Host: "go", AutoMTLS: f.autoMTLS, Count: len(times),
		Min: at(0), P50: at(0.5), P90: at(0.9), P99: at(0.99),
		Mean: float64(sum.Nanoseconds()) / 1e3 / float64(len(times)),
	}
}

func measureLaunches(f flags, out *json.Encoder) {
	var times []time.Duration
	for i := 0; i < f.launches; i++ {
		s, r := start(f)
		begin := time.Now()
		s.client.Kill()
		r.Shutdown = time.Since(begin).Microseconds()
		r.Index = i
		times = append(times, time.Duration(r.Reply)*time.Microsecond)
		_ = out.Encode(r)
	}
	if len(times) > 0 {
		_ = out.Encode(summarize("cold_start_summary", f, times))
	}
}

// callMany makes `count` calls and returns how long each took.
func (s *session) callMany(f flags, key string, count int) []time.Duration {
	value := make([]byte, f.size)
	s.must(s.call("put", key, value))
	times := make([]time.Duration, count)
	for i := range times {
		begin := time.Now()
		s.must(s.call(f.call, key, value))
		times[i] = time.Since(begin)
	}
	return times
}

func measureCalls(f flags, out *json.Encoder) {
	if f.calls == 0 {
		return
	}
	s, _ := start(f)
	defer s.client.Kill()
	s.callMany(f, "warmup", f.warmup)
	each := make([][]time.Duration, f.parallel)
	var group sync.WaitGroup
	begin := time.Now()
	for i := range each {
		group.Add(1)
		go func() {
			defer group.Done()
			each[i] = s.callMany(f, fmt.Sprintf("bench%d", i), f.calls/f.parallel)
		}()
	}
	group.Wait()
	wall := time.Since(begin)
	var all []time.Duration
	for _, times := range each {
		all = append(all, times...)
	}
	r := summarize("unary", f, all)
	r.Call, r.Size, r.Parallel = f.call, f.size, f.parallel
	r.PerS = float64(len(all)) / wall.Seconds()
	_ = out.Encode(r)
}

func main() {
	f := parseFlags()
	if f.directory == "" {
		directory, err := os.MkdirTemp("", "go_host")
		if err != nil {
			fmt.Fprintln(os.Stderr, "go_host:", err)
			os.Exit(1)
		}
		defer os.RemoveAll(directory)
		f.directory = directory
	}
	out := json.NewEncoder(os.Stdout)
	measureLaunches(f, out)
	measureCalls(f, out)
	measureOutput(f, out)
}
