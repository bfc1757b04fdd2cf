package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type kvPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	version int
	log     hclog.Logger
}

func (p *kvPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	proto.RegisterKVServer(s, &kvServer{version: p.version, log: p.log})
	return nil
}

func (p *kvPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return proto.NewKVClient(c), nil
}

type kvServer struct {
	version int
	log     hclog.Logger
}

func (s *kvServer) Put(_ context.Context, r *proto.PutRequest) (*proto.Empty, error) {
	value := append(r.Value, "\n\nWritten from conformance kv"...)
	return &proto.Empty{}, os.WriteFile("kv_"+r.Key, value, 0o600)
}

func (s *kvServer) Get(ctx context.Context, r *proto.GetRequest) (*proto.GetResponse, error) {
	if name, argument, ok := command(r.Key); ok {
		value, err := s.run(ctx, name, argument)
		return &proto.GetResponse{Value: value}, err
	}
	value, err := os.ReadFile("kv_" + r.Key)
	return &proto.GetResponse{Value: value}, err
}

// command takes "!name:argument" apart.
func command(key string) (name, argument string, ok bool) {
	if !strings.HasPrefix(key, "!") {
		return "", "", false
	}
	name, argument, _ = strings.Cut(key[1:], ":")
	return name, argument, true
}

// run does what a key asks for. The C++ server_plugin knows the same names.
func (s *kvServer) run(ctx context.Context, name, argument string) ([]byte, error) {
	number, _ := strconv.Atoi(argument)
	switch name {
	case "exit":
		os.Exit(number)
	case "signal":
		_ = syscall.Kill(os.Getpid(), syscall.Signal(number))
		time.Sleep(time.Minute) // a thread of the process may get it first
	case "panic":
		go panic(argument) // outside the handler: nobody can recover it
		time.Sleep(time.Minute)
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "sleep":
		select {
		case <-time.After(time.Duration(number) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "error":
		return nil, status.Error(codes.Internal, strings.Repeat("e", number))
	case "big":
		return make([]byte, number), nil
	default:
		return s.say(name, argument)
	}
	return nil, nil
}

// rawStderr is descriptor 2: Serve puts GRPCStdio's pipe in the place of
// os.Stderr.
var rawStderr = os.Stderr

// floodLines are those of tests/benchmarks/log_benchmark.cc.
var floodLines = map[string]string{
	"flood-hclog": `{"@level":"info","@message":"stored a value","@module":"kv",` +
		`"@timestamp":"2024-05-01T12:00:00.000000Z","key":"bench","size":16}` + "\n",
	"flood-text": "listening for requests on the second socket\n",
}

// floodStderr writes many lines at a time. To make each of them, and a system
// call for each, takes longer than a fast host needs to read it.
func floodStderr(line string, count int) error {
	const perWrite = 400
	block := []byte(strings.Repeat(line, perWrite))
	for ; count > 0; count -= perWrite {
		if _, err := rawStderr.Write(block[:len(line)*min(count, perWrite)]); err != nil {
			return err
		}
	}
	return nil
}

// say holds the commands that write or tell something.
func (s *kvServer) say(name, argument string) ([]byte, error) {
	var err error
	switch name {
	case "stdout": // over GRPCStdio
		_, err = fmt.Fprintln(os.Stdout, argument)
	case "stderr": // over GRPCStdio
		_, err = fmt.Fprintln(os.Stderr, argument)
	case "raw-stdout":
		_, err = syscall.Write(1, []byte(argument+"\n"))
	case "raw-stderr":
		_, err = syscall.Write(2, []byte(argument+"\n"))
	case "log": // !log:warn:text
		level, text, _ := strings.Cut(argument, ":")
		s.log.Log(hclog.LevelFromString(level), text, "key", "value")
	case "flood-stdout": // that many bytes over GRPCStdio
		number, _ := strconv.Atoi(argument)
		_, err = os.Stdout.Write(make([]byte, number))
	case "flood-log":
		number, _ := strconv.Atoi(argument)
		for i := 0; i < number; i++ {
			s.log.Info("flood", "n", i)
		}
	case "flood-hclog", "flood-text": // that many lines, made beforehand
		number, _ := strconv.Atoi(argument)
		err = floodStderr(floodLines[name], number)
	default:
		return s.tell(name, argument)
	}
	return nil, err
}

// tell answers questions about the plugin's process.
func (s *kvServer) tell(name, argument string) ([]byte, error) {
	switch name {
	case "version":
		return []byte(strconv.Itoa(s.version)), nil
	case "pid":
		return []byte(strconv.Itoa(os.Getpid())), nil
	case "ppid":
		return []byte(strconv.Itoa(os.Getppid())), nil
	case "pgid":
		return []byte(strconv.Itoa(syscall.Getpgrp())), nil
	case "cwd":
		directory, err := os.Getwd()
		return []byte(directory), err
	case "env":
		value, set := os.LookupEnv(argument)
		if !set {
			return nil, status.Errorf(codes.NotFound, "%s is not set", argument)
		}
		return []byte(value), nil
	case "environ":
		return []byte(strings.Join(os.Environ(), "\n")), nil
	case "args":
		return []byte(strings.Join(os.Args, "\n")), nil
	case "fds":
		return openDescriptors()
	}
	return nil, status.Errorf(codes.InvalidArgument, "unknown command !%s", name)
}

// openDescriptors lists "NUMBER TARGET" lines.
func openDescriptors() ([]byte, error) {
	links, err := filepath.Glob("/proc/self/fd/*")
	sort.Strings(links)
	var lines []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			lines = append(lines, filepath.Base(link)+" "+target)
		}
	}
	return []byte(strings.Join(lines, "\n")), err
}
