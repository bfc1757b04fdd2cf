// A stock go-plugin v1.8.0 host for the KV service: starts the plugin it is
// given, does what it is told, and prints what it saw as one JSON object.
//
//	host [flags] PLUGIN [ARGS...]
//	host [flags] -reattach JSON
//
// The exit code is 0 when everything worked, else 1; 64 for bad flags.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"crypto/sha256"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc"

	"example.com/conformance/internal/tlsfiles"
)

// step is one thing to do, in the order of the command line.
type step struct {
	Do    string `json:"do"` // put, get or ping
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"` // what was put or got
	Error string `json:"error,omitempty"`
	value []byte
}

// report is what the program prints.
type report struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error,omitempty"` // of the launch
	Protocol string `json:"protocol,omitempty"`
	Version  int    `json:"version"`
	Pid      string `json:"pid,omitempty"`
	Network  string `json:"network,omitempty"`
	Address  string `json:"address,omitempty"`
	Steps    []step `json:"steps"`
	// What came over GRPCStdio, with -syncstdout.
	SyncStdout string `json:"sync_stdout"`
	SyncStderr string `json:"sync_stderr"`
	// The plugin's raw stderr, and the host's log: JSON lines of hclog.
	Stderr  string            `json:"stderr"`
	Log     []json.RawMessage `json:"log"`
	Exited  bool              `json:"exited"`
	Forced  bool              `json:"forced"` // the plugin did not go by itself
	KillMs  int64             `json:"kill_ms"`
	StartMs int64             `json:"start_ms"`
}

type flags struct {
	autoMTLS, skipHostEnv, syncStdout, mux, logs bool
	versions, cookieKey, cookieValue             string
	directory, group, sha256, reattach           string
	timeout, settle                              time.Duration
	env                                          []string
	steps                                        []step
	command                                      []string
	tls                                          tlsfiles.Flags
}

func parseFlags() flags {
	var f flags
	flag.BoolVar(&f.autoMTLS, "automtls", false, "AutoMTLS")
	flag.BoolVar(&f.skipHostEnv, "skiphostenv", false, "do not hand on the environment")
	flag.BoolVar(&f.syncStdout, "syncstdout", false, "report what comes over GRPCStdio")
	flag.BoolVar(&f.mux, "mux", false, "GRPCBrokerMultiplex")
	flag.BoolVar(&f.logs, "logs", false, "report the host's log")
	flag.StringVar(&f.versions, "versions", "1", "application protocol versions, comma-separated")
	flag.StringVar(&f.cookieKey, "cookie-key", "BASIC_PLUGIN", "")
	flag.StringVar(&f.cookieValue, "cookie-value", "hello", "")
	flag.StringVar(&f.directory, "cwd", "", "the plugin's working directory")
	flag.StringVar(&f.group, "group", "", "UnixSocketConfig.Group")
	flag.StringVar(&f.sha256, "sha256", "", "SecureConfig: the binary's checksum in hex")
	flag.StringVar(&f.reattach, "reattach", "",
		"in place of PLUGIN: one that runs already, as TF_REATTACH_PROVIDERS names it")
	flag.DurationVar(&f.timeout, "timeout", 20*time.Second, "StartTimeout, and for each call")
	flag.DurationVar(&f.settle, "settle", 0, "wait before the shutdown, for late output")
	flag.Func("env", "NAME=VALUE for the plugin; repeatable", func(v string) error {
		f.env = append(f.env, v)
		return nil
	})
	flag.Func("put", "KEY=VALUE; -put, -get, -ping repeatable, done in order", func(v string) error {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			return fmt.Errorf("want KEY=VALUE")
		}
		f.steps = append(f.steps, step{Do: "put", Key: key, Value: value, value: []byte(value)})
		return nil
	})
	flag.Func("put-size", "KEY=BYTES: put that many zero bytes", func(v string) error {
		key, text, _ := strings.Cut(v, "=")
		size, err := strconv.Atoi(text)
		f.steps = append(f.steps, step{Do: "put", Key: key, value: make([]byte, size)})
		return err
	})
	flag.Func("get", "KEY", func(v string) error {
		f.steps = append(f.steps, step{Do: "get", Key: v})
		return nil
	})
	flag.BoolFunc("ping", "health check", func(string) error {
		f.steps = append(f.steps, step{Do: "ping"})
		return nil
	})
	f.tls.Define()
	flag.Parse()
	f.command = flag.Args()
	if (len(f.command) == 0) == (f.reattach == "") {
		fmt.Fprintln(os.Stderr, "usage: host [flags] PLUGIN [ARGS...] | -reattach JSON")
		flag.PrintDefaults()
		os.Exit(64)
	}
	return f
}

// kvPlugin is the host's half of the plugin.
type kvPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (kvPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (kvPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return proto.NewKVClient(c), nil
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}

type outputs struct{ stderr, syncStdout, syncStderr, log buffer }

// reattachConfig reads what Terraform reads, by the same decoder.
func reattachConfig(text string) (*plugin.ReattachConfig, error) {
	var providers map[string]struct {
		Protocol        string
		ProtocolVersion int
		Pid             int
		Test            bool
		Addr            struct{ Network, String string }
	}
	if err := json.Unmarshal([]byte(text), &providers); err != nil {
		return nil, err
	}
	for _, p := range providers {
		var address net.Addr
		var err error
		switch p.Addr.Network {
		case "unix":
			address, err = net.ResolveUnixAddr("unix", p.Addr.String)
		case "tcp":
			address, err = net.ResolveTCPAddr("tcp", p.Addr.String)
		default:
			err = fmt.Errorf("unknown network %q", p.Addr.Network)
		}
		return &plugin.ReattachConfig{
			Protocol: plugin.Protocol(p.Protocol), ProtocolVersion: p.ProtocolVersion,
			Pid: p.Pid, Test: p.Test, Addr: address,
		}, err
	}
	return nil, fmt.Errorf("no plugin in %q", text)
}

func clientConfig(f flags, o *outputs) (*plugin.ClientConfig, error) {
	config := &plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey: f.cookieKey, MagicCookieValue: f.cookieValue,
		},
		VersionedPlugins:    map[int]plugin.PluginSet{},
		AllowedProtocols:    []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:            f.autoMTLS,
		SkipHostEnv:         f.skipHostEnv,
		GRPCBrokerMultiplex: f.mux,
		StartTimeout:        f.timeout,
		Stderr:              &o.stderr,
		Logger: hclog.New(&hclog.LoggerOptions{
			Name: "host", Level: hclog.Trace, Output: &o.log, JSONFormat: true,
		}),
	}
	if f.reattach != "" {
		reattach, err := reattachConfig(f.reattach)
		if err != nil {
			return nil, err
		}
		config.Reattach = reattach
		// Nothing is negotiated then.
		config.Plugins = plugin.PluginSet{"kv_grpc": kvPlugin{}}
	} else {
		config.Cmd = exec.Command(f.command[0], f.command[1:]...)
		config.Cmd.Dir = f.directory
		config.Cmd.Env = f.env
	}
	for _, text := range strings.Split(f.versions, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		config.VersionedPlugins[version] = plugin.PluginSet{"kv_grpc": kvPlugin{}}
	}
	if f.syncStdout {
		config.SyncStdout, config.SyncStderr = &o.syncStdout, &o.syncStderr
	}
	if f.group != "" {
		config.UnixSocketConfig = &plugin.UnixSocketConfig{Group: f.group}
	}
	if f.tls.Given() {
		var err error
		if config.TLSConfig, err = f.tls.Config(); err != nil {
			return nil, err
		}
	}
	if f.sha256 != "" {
		sum, err := hex.DecodeString(f.sha256)
		if err != nil {
			return nil, err
		}
		config.SecureConfig = &plugin.SecureConfig{Checksum: sum, Hash: sha256.New()}
	}
	return config, nil
}

func (s *step) run(kv proto.KVClient, protocol plugin.ClientProtocol, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var err error
	switch s.Do {
	case "put":
		_, err = kv.Put(ctx, &proto.PutRequest{Key: s.Key, Value: s.value})
	case "get":
		var response *proto.GetResponse
		if response, err = kv.Get(ctx, &proto.GetRequest{Key: s.Key}); err == nil {
			s.Value = string(response.Value)
		}
	case "ping":
		err = protocol.Ping()
	}
	if err != nil {
		s.Error = err.Error()
	}
}

// drive starts the plugin and does the steps.
func drive(client *plugin.Client, f flags, r *report) error {
	begin := time.Now()
	address, err := client.Start()
	if err != nil {
		return err
	}
	r.Network, r.Address = address.Network(), address.String()
	protocol, err := client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense("kv_grpc")
	if err != nil {
		return err
	}
	r.StartMs = time.Since(begin).Milliseconds()
	r.Protocol, r.Version, r.Pid = string(client.Protocol()), client.NegotiatedVersion(), client.ID()
	r.OK = true
	for i := range f.steps {
		f.steps[i].run(raw.(proto.KVClient), protocol, f.timeout)
		r.OK = r.OK && f.steps[i].Error == ""
	}
	r.Steps = f.steps
	time.Sleep(f.settle)
	return nil
}

func main() {
	f := parseFlags()
	var o outputs
	config, err := clientConfig(f, &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	client := plugin.NewClient(config)
	r := report{Steps: []step{}, Log: []json.RawMessage{}}
	if err := drive(client, f, &r); err != nil {
		r.OK, r.Error = false, err.Error()
	}
	begin := time.Now()
	client.Kill()
	r.KillMs = time.Since(begin).Milliseconds()
	r.Exited = client.Exited()
	r.Forced = strings.Contains(o.log.String(), "plugin failed to exit gracefully")
	r.SyncStdout, r.SyncStderr = o.syncStdout.String(), o.syncStderr.String()
	r.Stderr = o.stderr.String()
	if f.logs {
		for _, line := range strings.Split(strings.TrimSpace(o.log.String()), "\n") {
			r.Log = append(r.Log, json.RawMessage(line))
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !r.OK {
		os.Exit(1)
	}
}
