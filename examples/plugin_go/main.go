// A key-value plugin written with hashicorp/go-plugin, the library this SDK
// talks to. Nothing here knows about C++: any go-plugin host can run it.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// handshake must hold the same values in the host.
var handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "BASIC_PLUGIN",
	MagicCookieValue: "hello",
}

// kvServer answers the calls. Each key is a file kv_KEY of the working
// directory.
type kvServer struct {
	log hclog.Logger
}

// fileOf returns the file a key is kept in. A key must not lead out of the
// working directory.
func fileOf(key string) (string, error) {
	if key == "" || strings.ContainsAny(key, "/\x00") {
		return "", status.Errorf(codes.InvalidArgument,
			"key %q: must not be empty or hold a slash", key)
	}
	return "kv_" + key, nil
}

func (s *kvServer) Put(_ context.Context, r *proto.PutRequest) (*proto.Empty, error) {
	file, err := fileOf(r.Key)
	if err != nil {
		return nil, err
	}
	// hclog writes JSON to stderr, which the host turns into log entries.
	s.log.Info("put", "key", r.Key, "bytes", len(r.Value))
	// What a plugin prints reaches the host as well, over GRPCStdio.
	fmt.Printf("storing %s\n", r.Key)
	value := append(r.Value, "\n\nWritten from plugin_go"...)
	if err := os.WriteFile(file, value, 0o600); err != nil {
		return nil, status.Errorf(codes.Internal, "put %q: %v", r.Key, err)
	}
	return &proto.Empty{}, nil
}

func (s *kvServer) Get(_ context.Context, r *proto.GetRequest) (*proto.GetResponse, error) {
	file, err := fileOf(r.Key)
	if err != nil {
		return nil, err
	}
	value, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		s.log.Warn("no such key", "key", r.Key)
		return nil, status.Errorf(codes.NotFound, "no key %q", r.Key)
	}
	if err != nil {
		return nil, status.Errorf(codes.Internal, "get %q: %v", r.Key, err)
	}
	s.log.Debug("get", "key", r.Key, "bytes", len(value))
	return &proto.GetResponse{Value: value}, nil
}

// kvPlugin tells go-plugin how to register the service.
type kvPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	log hclog.Logger
}

func (p *kvPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	proto.RegisterKVServer(s, &kvServer{log: p.log})
	return nil
}

// GRPCClient is for hosts written in Go only.
func (p *kvPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return proto.NewKVClient(c), nil
}

func main() {
	log := hclog.New(&hclog.LoggerOptions{
		Name:       "kv",
		Level:      hclog.Trace, // the host decides what it shows
		Output:     os.Stderr,
		JSONFormat: true,
	})
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{"kv_grpc": &kvPlugin{log: log}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          log,
	})
}
