// A go-plugin v1.8.0 plugin whose behaviour tests can choose: on the command
// line for what happens at the start, by keys that begin with '!' for what
// happens in a call (see keys.go). Without flags it is a stock plugin.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/conformance/internal/tlsfiles"
)

type flags struct {
	versions string
	cookie   string
	network  string
	fields   int
	shutdown string
	lifetime time.Duration
	startErr string
	startOut string
	panicNow bool
	reattach bool
	tls      tlsfiles.Flags
}

func parseFlags() flags {
	var f flags
	flag.StringVar(&f.versions, "versions", "1",
		"application protocol versions served, comma-separated")
	flag.StringVar(&f.cookie, "cookie", "hello", "the value BASIC_PLUGIN must have")
	flag.StringVar(&f.network, "network", "unix",
		"unix, tcp or tcp6; not unix: own listener around go-plugin's server")
	flag.IntVar(&f.fields, "fields", 0,
		"4, 5, 6 or 7: the line cut to that many fields (own listener); 0: as go-plugin prints it")
	flag.StringVar(&f.shutdown, "shutdown", "stock",
		"answer to GRPCController.Shutdown: stock, ignore (answers OK, goes on), hang, error, unimplemented")
	flag.DurationVar(&f.lifetime, "lifetime", 2*time.Minute,
		"the plugin ends by itself after this long")
	flag.StringVar(&f.startErr, "stderr", "", "text for stderr before the line")
	flag.StringVar(&f.startOut, "stdout", "", "text for stdout before the line")
	flag.BoolVar(&f.panicNow, "panic", false, "panic before the line")
	flag.BoolVar(&f.reattach, "test-mode", false,
		"serve in go-plugin's test mode: prints a reattach config as JSON, no line, no cookie")
	f.tls.Define()
	flag.Parse()
	return f
}

// versionedPlugins has one plugin set per served version, so that calls can
// tell which of them was negotiated.
func versionedPlugins(list string, log hclog.Logger) map[int]plugin.PluginSet {
	sets := map[int]plugin.PluginSet{}
	for _, text := range strings.Split(list, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintf(os.Stderr, "-versions: %v\n", err)
			os.Exit(64)
		}
		sets[version] = plugin.PluginSet{"kv_grpc": &kvPlugin{version: version, log: log}}
	}
	return sets
}

// shutdownInterceptor stands before go-plugin's own Shutdown.
func shutdownInterceptor(mode string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request interface{}, info *grpc.UnaryServerInfo,
		next grpc.UnaryHandler) (interface{}, error) {
		if info.FullMethod != "/plugin.GRPCController/Shutdown" {
			return next(ctx, request)
		}
		switch mode {
		case "ignore":
			return &proto.Empty{}, nil // the same bytes as plugin.Empty: none
		case "hang":
			<-ctx.Done()
			return nil, ctx.Err()
		case "error":
			return nil, status.Error(codes.Internal, "refusing to shut down")
		case "unimplemented":
			return nil, status.Error(codes.Unimplemented, "unknown method Shutdown")
		}
		return next(ctx, request)
	}
}

func newServer(f flags) func([]grpc.ServerOption) *grpc.Server {
	return func(options []grpc.ServerOption) *grpc.Server {
		options = append(options,
			grpc.UnaryInterceptor(shutdownInterceptor(f.shutdown)),
			grpc.MaxRecvMsgSize(1<<30))
		return grpc.NewServer(options...)
	}
}

func main() {
	f := parseFlags()
	time.AfterFunc(f.lifetime, func() { os.Exit(99) })
	if f.startErr != "" {
		fmt.Fprintln(os.Stderr, f.startErr)
	}
	if f.startOut != "" {
		fmt.Println(f.startOut)
	}
	if f.panicNow {
		panic("asked to panic before the line")
	}
	log := hclog.New(&hclog.LoggerOptions{
		Name: "kv", Level: hclog.Trace, Output: os.Stderr, JSONFormat: true,
	})
	config := &plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey: "BASIC_PLUGIN", MagicCookieValue: f.cookie,
		},
		VersionedPlugins: versionedPlugins(f.versions, log),
		GRPCServer:       newServer(f),
		Logger:           log,
	}
	if f.tls.Given() {
		config.TLSProvider = f.tls.Config
	}
	switch {
	case f.reattach:
		serveTestMode(config)
	case f.network != "unix" || f.fields != 0:
		serveOwnListener(f, config)
	default:
		plugin.Serve(config)
	}
}

// sortedVersions are the served versions, highest first.
func sortedVersions(sets map[int]plugin.PluginSet) []int {
	var versions []int
	for version := range sets {
		versions = append(versions, version)
	}
	sort.Sort(sort.Reverse(sort.IntSlice(versions)))
	return versions
}
