// Command broker is a stock peer for brokered connections, in both roles.
//
// As a plugin (no flags) it serves the Counter of go-plugin's bidirectional
// example, with a meaning of its own:
//
//	Get "accept:N"             serves AddHelper on N new ids, answers the first
//	Get "own:N"                likewise, the i-th for the number i only
//	Get "stop"                 ends all of these servers
//	Put ADD_SERVER, VALUE      dials the id, and fails unless VALUE+1 comes back
//
// and a KV for bulk data (see bulk.go). As a host (-host PLUGIN) it drives such
// a plugin and reports as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/bidirectional/proto"
	"github.com/hashicorp/go-plugin/examples/bidirectional/shared"
	"google.golang.org/grpc"
)

// adder adds; if it is one caller's alone, then to that caller's number only.
type adder struct {
	alone  bool
	number int64
}

func (a adder) Sum(_ context.Context, request *proto.SumRequest) (*proto.SumResponse, error) {
	if a.alone && request.A != a.number {
		return nil, fmt.Errorf("the server for %d was asked by %d", a.number, request.A)
	}
	return &proto.SumResponse{R: request.A + request.B}, nil
}

// adders are servers of AddHelper.
type adders struct {
	mutex   sync.Mutex
	servers []*grpc.Server
}

// serve returns when the id can be dialled: under multiplexing go-plugin ends a
// plugin that is knocked at before its Accept.
func (a *adders) serve(broker *plugin.GRPCBroker, id uint32, helper proto.AddHelperServer) {
	accepted := make(chan struct{})
	go func() {
		once := sync.OnceFunc(func() { close(accepted) })
		defer once() // Accept has failed
		broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
			server := grpc.NewServer(options...)
			proto.RegisterAddHelperServer(server, helper)
			a.mutex.Lock()
			defer a.mutex.Unlock()
			a.servers = append(a.servers, server)
			once()
			return server
		})
	}()
	<-accepted
}

func (a *adders) stop() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, server := range a.servers {
		server.Stop()
	}
	a.servers = nil
}

// dialAdder dials `id` and asks for value + 1.
func dialAdder(broker *plugin.GRPCBroker, id uint32, value int64) error {
	connection, err := broker.Dial(id)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	return askAdder(context.Background(), connection, value)
}

func askAdder(ctx context.Context, connection *grpc.ClientConn, value int64) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	response, err := proto.NewAddHelperClient(connection).Sum(
		ctx, &proto.SumRequest{A: value, B: 1})
	if err != nil {
		return err
	}
	if response.R != value+1 {
		return fmt.Errorf("%d + 1 is not %d", value, response.R)
	}
	return nil
}

type counter struct {
	broker *plugin.GRPCBroker
	adders adders
}

func (c *counter) Get(_ context.Context, request *proto.GetRequest) (*proto.GetResponse, error) {
	if request.Key == "stop" {
		c.adders.stop()
		return &proto.GetResponse{}, nil
	}
	how, text, _ := strings.Cut(request.Key, ":")
	count, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	var first uint32
	for i := 0; i < count; i++ {
		id := c.broker.NextId()
		if i == 0 {
			first = id
		}
		c.adders.serve(c.broker, id, adder{how == "own", int64(i)})
	}
	return &proto.GetResponse{Value: int64(first)}, nil
}

func (c *counter) Put(_ context.Context, request *proto.PutRequest) (*proto.Empty, error) {
	return &proto.Empty{}, dialAdder(c.broker, request.AddServer, request.Value)
}

// peer is what Dispense gives.
type peer struct {
	broker *plugin.GRPCBroker
	client proto.CounterClient
	kv     kvClient
	adders adders
}

type counterPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (counterPlugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	proto.RegisterCounterServer(server, &counter{broker: broker})
	server.RegisterService(&kvService, &kv{})
	return nil
}

func (counterPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker,
	connection *grpc.ClientConn) (interface{}, error) {
	return &peer{
		broker: broker, client: proto.NewCounterClient(connection), kv: kvClient{connection},
	}, nil
}

var plugins = map[string]plugin.Plugin{"counter": counterPlugin{}}

func main() {
	program := flag.String("host", "", "be a host of this plugin")
	autoMTLS := flag.Bool("automtls", false, "with one-time certificates")
	mux := flag.Bool("mux", false, "GRPCBrokerMultiplex")
	count := flag.Int("n", 1, "brokered connections at once, in each direction")
	measured := flag.Int("measure", 0, "brokered connections one after the other, timed")
	dials := flag.Int("dials", 0, "dials one after the other, in each direction")
	bulk := flag.Int("bulk", 0, "MiB to put and to get at once, beside small calls")
	flag.Parse()
	if *program == "" {
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: shared.Handshake,
			Plugins:         plugins,
			GRPCServer:      plugin.DefaultGRPCServer,
			Logger:          hclog.NewNullLogger(),
		})
		return
	}
	r := host(*program, *autoMTLS, *mux, func(p *peer, r *report) error {
		switch {
		case *measured > 0:
			return p.measure(*measured, r)
		case *dials > 0:
			return p.dialMany(*dials, r)
		case *bulk > 0:
			return p.moveBulk(*bulk, r)
		}
		return p.drive(*count, r)
	})
	text, _ := json.Marshal(r)
	fmt.Println(string(text))
	if !r.OK {
		os.Exit(1)
	}
}
