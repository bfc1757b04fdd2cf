package main

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/bidirectional/proto"
	"github.com/hashicorp/go-plugin/examples/bidirectional/shared"
)

// report is what a host prints.
type report struct {
	OK            bool   `json:"ok"`
	Error         string `json:"error"`
	PluginDialled int    `json:"plugin_dialled"`
	HostDialled   int    `json:"host_dialled"`
	Exited        bool   `json:"exited"`

	// With -bulk.
	Bulk *bulkReport `json:"bulk,omitempty"`

	// With -dials and -bulk.
	Seconds float64 `json:"seconds,omitempty"`

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

// accept has the plugin serve on count ids from the one it gives; how is
// "accept" or "own".
func (p *peer) accept(ctx context.Context, how string, count int) (uint32, error) {
	answer, err := p.client.Get(ctx, &proto.GetRequest{Key: fmt.Sprint(how, ":", count)})
	return uint32(answer.GetValue()), err
}

func (p *peer) drive(count int, r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	r.PluginDialled, err = atOnce(count, func(i int) error {
		id := p.broker.NextId()
		p.adders.serve(p.broker, id, adder{true, int64(i)})
		_, err := p.client.Put(ctx, &proto.PutRequest{AddServer: id, Key: "x", Value: int64(i)})
		return err
	})
	if err != nil {
		return err
	}
	first, err := p.accept(ctx, "own", count)
	if err != nil {
		return err
	}
	r.HostDialled, err = atOnce(count, func(i int) error {
		return dialAdder(p.broker, first+uint32(i), int64(i))
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
// with one call and its end.
func (p *peer) measure(count int, r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	next, err := p.accept(ctx, "accept", count)
	if err != nil {
		return err
	}
	r.Dial, err = timed(count, func() error {
		next++
		return dialAdder(p.broker, next-1, 1)
	})
	if err != nil {
		return err
	}
	r.DialBack, err = timed(count, func() error {
		id := p.broker.NextId()
		p.adders.serve(p.broker, id, adder{})
		_, err := p.client.Put(ctx, &proto.PutRequest{AddServer: id, Key: "x", Value: 1})
		p.adders.stop()
		return err
	})
	return err
}

// dialMany makes count connections in each direction, one after the other, each
// with one call. Their servers end every now and then.
func (p *peer) dialMany(count int, r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	begin := time.Now()
	for left := count; left > 0; left -= serversAtOnce {
		if err := p.dialSome(ctx, min(left, serversAtOnce), r); err != nil {
			return err
		}
	}
	r.Seconds = time.Since(begin).Seconds()
	return nil
}

const serversAtOnce = 100

func (p *peer) dialSome(ctx context.Context, count int, r *report) error {
	first, err := p.accept(ctx, "own", count)
	for i := 0; i < count && err == nil; i++ {
		err = dialAdder(p.broker, first+uint32(i), int64(i))
		r.HostDialled++
	}
	if err != nil {
		return err
	}
	if _, err = p.client.Get(ctx, &proto.GetRequest{Key: "stop"}); err != nil {
		return err
	}
	for i := 0; i < count; i++ {
		id := p.broker.NextId()
		p.adders.serve(p.broker, id, adder{true, int64(id)})
		_, err := p.client.Put(ctx, &proto.PutRequest{AddServer: id, Key: "x", Value: int64(id)})
		if err != nil {
			return err
		}
		r.PluginDialled++
	}
	p.adders.stop()
	return nil
}

func host(program string, autoMTLS, mux bool, drive func(*peer, *report) error) report {
	var r report
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:     shared.Handshake,
		Plugins:             plugins,
		Cmd:                 exec.Command(program),
		AllowedProtocols:    []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:            autoMTLS,
		GRPCBrokerMultiplex: mux,
		Logger:              hclog.NewNullLogger(),
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
