// Command yamuxpeer is one end of a yamux session on its standard input and output, for the
// interoperability test. As server it opens streams, writes to each and checks the echo; as client
// it echoes what it accepts until its input ends.
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// stdio joins both directions to the one connection that yamux wants.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return os.Stdin.Close() }

func main() {
	log.SetFlags(0)
	config := yamux.DefaultConfig()
	config.LogOutput = os.Stderr
	config.KeepAliveInterval = 100 * time.Millisecond
	config.MaxStreamWindowSize = 512 * 1024
	if os.Args[1] == "server" {
		serve(config)
		return
	}
	session, err := yamux.Client(stdio{}, config)
	if err != nil {
		log.Fatal(err)
	}
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(stream, stream)
			_ = stream.Close()
		}()
	}
}

func serve(config *yamux.Config) {
	session, err := yamux.Server(stdio{}, config)
	if err != nil {
		log.Fatal(err)
	}
	sizes := []int{0, 1, 100, 262144, 262145, 3000000}
	var all sync.WaitGroup
	for _, size := range sizes {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := echo(session, size); err != nil {
				log.Fatalf("%d bytes: %v", size, err)
			}
		}()
	}
	all.Wait()
	if rtt, err := session.Ping(); err != nil || rtt <= 0 {
		log.Fatalf("ping: %v", err)
	}
	fmt.Fprintln(os.Stderr, "all echoed")
	// Closing the session would wait for a read of the standard input, which nothing but our next ping ends.
	os.Exit(0)
}

func echo(session *yamux.Session, size int) error {
	stream, err := session.OpenStream()
	if err != nil {
		return err
	}
	sent := make([]byte, size)
	_, _ = rand.Read(sent)
	go func() {
		_, _ = stream.Write(sent)
		_ = stream.Close()
	}()
	received, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	if !bytes.Equal(sent, received) {
		return fmt.Errorf("received %d other bytes", len(received))
	}
	return nil
}
