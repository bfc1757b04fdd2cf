// Command broker is a stock peer for brokered connections, in both roles.
//
// As a plugin (no flags) it serves the Counter of go-plugin's bidirectional
// example, with a meaning of its own:
//
//	Get "accept:N"             serves AddHelper on N new ids, answers the first
//	Put ADD_SERVER, VALUE      dials the id, and fails unless VALUE+1 comes back
//
// As a host (-host PLUGIN) it drives such a plugin and reports as JSON; with
// -measure N it tells how long brokered connections take instead.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
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

type adder struct{}

func (adder) Sum(_ context.Context, request *proto.SumRequest) (*proto.SumResponse, error) {
	return &proto.SumResponse{R: request.A + request.B}, nil
}

func serveAdder(broker *plugin.GRPCBroker, id uint32) {
	go broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(options...)
		proto.RegisterAddHelperServer(server, adder{})
		return server
	})
}

// dialAdder dials `id` and asks for value + 1.
func dialAdder(broker *plugin.GRPCBroker, id uint32, value int64) error {
	connection, err := broker.Dial(id)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
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

type counter struct{ broker *plugin.GRPCBroker }

func (c *counter) Get(_ context.Context, request *proto.GetRequest) (*proto.GetResponse, error) {
	count, err := strconv.Atoi(strings.TrimPrefix(request.Key, "accept:"))
	if err != nil {
		return nil, err
	}
	first := c.broker.NextId()
	serveAdder(c.broker, first)
	for i := 1; i < count; i++ {
		serveAdder(c.broker, c.broker.NextId())
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
}

type counterPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (counterPlugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	proto.RegisterCounterServer(server, &counter{broker})
	return nil
}

func (counterPlugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker,
	connection *grpc.ClientConn) (interface{}, error) {
	return &peer{broker, proto.NewCounterClient(connection)}, nil
}

var plugins = map[string]plugin.Plugin{"counter": counterPlugin{}}

type report struct {
	OK            bool   `json:"ok"`
	Error         string `json:"error"`
	PluginDialled int    `json:"plugin_dialled"`
	HostDialled   int    `json:"host_dialled"`
	Exited        bool   `json:"exited"`

	// Microseconds, with -measure.
	Dial     []float64 `json:"dial_us,omitempty"`
	DialBack []float64 `json:"dial_back_us,omitempty"`
}

// atOnce runs count calls at the same time, and counts those that went well.
func atOnce(count int, call func(i int) error) (int, error) {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	var first error
	done := 0
	for i := 0; i < count; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			err := call(i)
			mutex.Lock()
			defer mutex.Unlock()
			if err == nil {
				done++
			} else if first == nil {
				first = err
			}
		}(i)
	}
	wait.Wait()
	return done, first
}

func (p *peer) drive(count int, r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	r.PluginDialled, err = atOnce(count, func(i int) error {
		id := p.broker.NextId()
		serveAdder(p.broker, id)
		_, err := p.client.Put(ctx, &proto.PutRequest{AddServer: id, Key: "x", Value: int64(i)})
		return err
	})
	if err != nil {
		return err
	}
	answer, err := p.client.Get(ctx, &proto.GetRequest{Key: fmt.Sprint("accept:", count)})
	if err != nil {
		return err
	}
	r.HostDialled, err = atOnce(count, func(i int) error {
		return dialAdder(p.broker, uint32(answer.Value)+uint32(i), int64(i))
	})
	return err
}

// timed tells how long each of count calls took, in microseconds.
func timed(count int, call func() error) ([]float64, error) {
	times := make([]float64, count)
	for i := range times {
		begin := time.Now()
		if err := call(); err != nil {
			return nil, err
		}
		times[i] = float64(time.Since(begin).Nanoseconds()) / 1e3
	}
	return times, nil
}

// measure makes count connections in each direction, one after the other, each
// with one call.
func (p *peer) measure(count int, r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := p.client.Get(ctx, &proto.GetRequest{Key: fmt.Sprint("accept:", count)})
	if err != nil {
		return err
	}
	next := uint32(answer.Value)
	r.Dial, err = timed(count, func() error {
		next++
		return dialAdder(p.broker, next-1, 1)
	})
	if err != nil {
		return err
	}
	r.DialBack, err = timed(count, func() error {
		id := p.broker.NextId()
		serveAdder(p.broker, id)
		_, err := p.client.Put(ctx, &proto.PutRequest{AddServer: id, Key: "x", Value: 1})
		return err
	})
	return err
}

func host(program string, autoMTLS bool, drive func(*peer, *report) error) report {
	var r report
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  shared.Handshake,
		Plugins:          plugins,
		Cmd:              exec.Command(program),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         autoMTLS,
		Logger:           hclog.NewNullLogger(),
	})
	err := func() error {
		defer client.Kill()
		protocol, err := client.Client()
		if err != nil {
			return err
		}
		raw, err := protocol.Dispense("counter")
		if err != nil {
			return err
		}
		return drive(raw.(*peer), &r)
	}()
	r.Exited = client.Exited()
	r.OK = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func main() {
	program := flag.String("host", "", "be a host of this plugin")
	autoMTLS := flag.Bool("automtls", false, "with one-time certificates")
	count := flag.Int("n", 1, "brokered connections at once, in each direction")
	measured := flag.Int("measure", 0, "brokered connections one after the other, timed")
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
	r := host(*program, *autoMTLS, func(p *peer, r *report) error {
		if *measured > 0 {
			return p.measure(*measured, r)
		}
		return p.drive(*count, r)
	})
	text, _ := json.Marshal(r)
	fmt.Println(string(text))
	if !r.OK {
		os.Exit(1)
	}
}
