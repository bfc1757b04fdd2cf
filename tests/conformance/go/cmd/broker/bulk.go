package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// proto.KV of go-plugin's examples/grpc, for bulk data:
//
//	Put         forgets the value, and counts its bytes
//	Get "N"     answers N bytes 'x'
//	Get "put"   answers how many bytes were put, as text
//
// Its messages have the names of the Counter's, of which a program can hold one
// only. These look the same on the wire:
//
//	GetRequest  {string key = 1}                   StringValue
//	GetResponse {bytes value = 1}                  BytesValue
//	PutRequest  {string key = 1; bytes value = 2}  Any
type kv struct{ put atomic.Int64 }

func (s *kv) get(key string) ([]byte, error) {
	if key == "put" {
		return []byte(strconv.FormatInt(s.put.Load(), 10)), nil
	}
	size, err := strconv.Atoi(key)
	if err != nil || size < 0 || size > 1<<26 {
		return nil, fmt.Errorf("no size: %q", key)
	}
	return filled(size), nil
}

// filled is size bytes 'x'.
func filled(size int) []byte {
	value := make([]byte, size)
	for i := range value {
		value[i] = 'x'
	}
	return value
}

func serveGet(server interface{}, _ context.Context, decode func(interface{}) error,
	_ grpc.UnaryServerInterceptor) (interface{}, error) {
	var key wrapperspb.StringValue
	if err := decode(&key); err != nil {
		return nil, err
	}
	value, err := server.(*kv).get(key.Value)
	return wrapperspb.Bytes(value), err
}

func servePut(server interface{}, _ context.Context, decode func(interface{}) error,
	_ grpc.UnaryServerInterceptor) (interface{}, error) {
	var put anypb.Any
	if err := decode(&put); err != nil {
		return nil, err
	}
	server.(*kv).put.Add(int64(len(put.Value)))
	return &emptypb.Empty{}, nil
}

var kvService = grpc.ServiceDesc{
	ServiceName: "proto.KV",
	HandlerType: (*interface{})(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Get", Handler: serveGet},
		{MethodName: "Put", Handler: servePut},
	},
}

type kvClient struct{ connection *grpc.ClientConn }

func (c kvClient) get(ctx context.Context, key string) ([]byte, error) {
	var value wrapperspb.BytesValue
	err := c.connection.Invoke(ctx, "/proto.KV/Get", wrapperspb.String(key), &value)
	return value.Value, err
}

func (c kvClient) put(ctx context.Context, value []byte) error {
	request := &anypb.Any{TypeUrl: "bulk", Value: value}
	return c.connection.Invoke(ctx, "/proto.KV/Put", request, &emptypb.Empty{})
}

type bulkReport struct {
	PutMiB     int     `json:"put_mib"` // as the plugin counts them
	GotMiB     int     `json:"got_mib"`
	SmallCalls int     `json:"small_calls"`
	LongestMs  float64 `json:"longest_ms"` // of the small calls
}

const mebibyte = 1 << 20

// moveBulk puts and gets count MiB at the same time, in messages of 1 MiB over
// the main connection, while a brokered one makes small calls.
func (p *peer) moveBulk(count int, r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	first, err := p.accept(ctx, "accept", 1)
	if err != nil {
		return err
	}
	connection, err := p.broker.Dial(first)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	r.Bulk = &bulkReport{}
	begin := time.Now()
	done := make(chan struct{})
	errs := make(chan error, 3)
	var bulk sync.WaitGroup
	bulk.Add(2)
	go func() { defer bulk.Done(); errs <- p.putAll(ctx, count) }()
	go func() { defer bulk.Done(); errs <- p.getAll(ctx, count, r.Bulk) }()
	go func() { errs <- makeSmallCalls(ctx, connection, done, r.Bulk) }()
	bulk.Wait()
	r.Seconds = time.Since(begin).Seconds()
	close(done)
	for i := 0; i < cap(errs); i++ {
		if each := <-errs; each != nil && err == nil {
			err = each
		}
	}
	if err != nil {
		return err
	}
	counted, err := p.kv.get(ctx, "put")
	put, _ := strconv.Atoi(string(counted))
	r.Bulk.PutMiB = put / mebibyte
	return err
}

func (p *peer) putAll(ctx context.Context, count int) error {
	value := filled(mebibyte)
	for i := 0; i < count; i++ {
		if err := p.kv.put(ctx, value); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) getAll(ctx context.Context, count int, r *bulkReport) error {
	wanted := string(filled(mebibyte))
	for i := 0; i < count; i++ {
		value, err := p.kv.get(ctx, strconv.Itoa(mebibyte))
		if err != nil {
			return err
		}
		if string(value) != wanted {
			return fmt.Errorf("message %d came back changed", i)
		}
		r.GotMiB++
	}
	return nil
}

// makeSmallCalls goes on until done is closed, at least once.
func makeSmallCalls(ctx context.Context, connection *grpc.ClientConn, done chan struct{},
	r *bulkReport) error {
	for {
		begin := time.Now()
		if err := askAdder(ctx, connection, int64(r.SmallCalls)); err != nil {
			return err
		}
		r.SmallCalls++
		r.LongestMs = max(r.LongestMs, float64(time.Since(begin).Microseconds())/1e3)
		select {
		case <-done:
			return nil
		default:
		}
	}
}
