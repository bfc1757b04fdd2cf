// Command yamux is the Go yamux library, in its default configuration, over the
// socket that is its descriptor 3, in either role. Of each stream that the other
// side opens, the first line says what becomes of it:
//
//	echo            what follows comes back, until its end
//	sleep           nothing is read until a stream says "wake"; then as echo
//	wake            and its end: all who sleep go on
//	open N SIZE     opens N streams at once, with up to SIZE random bytes each,
//	                and checks that they come back; answers "ok" or why not
//	openreset N     opens N streams that the other side is to reset; answers how
//	                many it did reset
//	ping            pings; answers "ok" or why not
//	goaway          accepts no more streams; answers "ok"
//	close           ends this stream at once, without reading on
//	count           answers with the number of streams, its own included
//	die             ends the process, and with it the connection
//
// It exits with code 0 when the other side has closed the connection, 3 when the
// session ended for another reason, which it prints.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/hashicorp/yamux"
)

type peer struct {
	session *yamux.Session
	wake    chan struct{}
}

// echo answers with all that is read, and ends when that ends.
func echo(stream *yamux.Stream, reader io.Reader) {
	_, _ = io.Copy(stream, reader)
	_ = stream.Close()
}

// check opens a stream and finds its own bytes in what comes back.
func (p *peer) check(size int, seed int64) error {
	stream, err := p.session.OpenStream()
	if err != nil {
		return err
	}
	random := rand.New(rand.NewSource(seed))
	sent := make([]byte, random.Intn(size+1))
	random.Read(sent)
	failed := make(chan error, 1)
	go func() {
		_, err := stream.Write(sent)
		if err == nil {
			err = stream.Close()
		}
		failed <- err
	}()
	got, err := io.ReadAll(stream)
	if err := errors.Join(err, <-failed); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return fmt.Errorf("%d other bytes than the %d sent", len(got), len(sent))
	}
	return nil
}

// open runs count checks at once.
func (p *peer) open(count, size int) error {
	failures := make([]error, count)
	var wait sync.WaitGroup
	for i := range failures {
		wait.Add(1)
		go func() {
			defer wait.Done()
			failures[i] = p.check(size, int64(i))
		}()
	}
	wait.Wait()
	return errors.Join(failures...)
}

// resets opens count streams and counts those that come to nothing.
func (p *peer) resets(count int) (int, error) {
	reset := 0
	for range count {
		stream, err := p.session.OpenStream()
		if err != nil {
			return 0, err
		}
		if _, err := stream.Read(make([]byte, 1)); errors.Is(err, yamux.ErrConnectionReset) {
			reset++
		}
		_ = stream.Close()
	}
	return reset, nil
}

// answer does what the line says, in one line.
func (p *peer) answer(line string) string {
	var count, size int
	var err error
	text := "ok"
	if n, _ := fmt.Sscanf(line, "open %d %d", &count, &size); n == 2 {
		err = p.open(count, size)
	} else if n, _ := fmt.Sscanf(line, "openreset %d", &count); n == 1 {
		count, err = p.resets(count)
		text = fmt.Sprint(count)
	} else if line == "ping" {
		_, err = p.session.Ping()
	} else if line == "goaway" {
		err = p.session.GoAway()
	} else if line == "count" {
		text = fmt.Sprint(p.session.NumStreams())
	} else if line == "wake" {
		close(p.wake)
	} else {
		text = "unknown: " + line
	}
	if err != nil {
		text, _, _ = strings.Cut(err.Error(), "\n")
	}
	return text
}

func (p *peer) serve(stream *yamux.Stream) {
	reader := bufio.NewReaderSize(stream, 16)
	line, err := reader.ReadString('\n')
	if err != nil {
		return
	}
	switch line = strings.TrimSuffix(line, "\n"); line {
	case "echo":
		echo(stream, reader)
	case "sleep":
		<-p.wake
		echo(stream, reader)
	case "close":
		_ = stream.Close()
	case "die":
		os.Exit(7)
	default:
		_, _ = io.WriteString(stream, p.answer(line)+"\n")
		_ = stream.Close()
	}
}

// reason keeps the library's own words of why a session ended.
type reason struct {
	mutex sync.Mutex
	last  string
}

func (r *reason) Write(text []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if bytes.Contains(text, []byte("[ERR]")) {
		r.last = string(text)
	}
	return len(text), nil
}

func main() {
	client := flag.Bool("client", false, "be yamux's client instead of its server")
	flag.Parse()
	connection, err := net.FileConn(os.NewFile(3, "connection"))
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	var why reason
	config := yamux.DefaultConfig()
	config.LogOutput = &why
	begin := yamux.Server
	if *client {
		begin = yamux.Client
	}
	session, err := begin(connection, config)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	p := &peer{session: session, wake: make(chan struct{})}
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			why.mutex.Lock()
			defer why.mutex.Unlock()
			if err == io.EOF && why.last == "" {
				return
			}
			fmt.Println(err, why.last)
			os.Exit(3)
		}
		go p.serve(stream)
	}
}
