package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sink is the InfluxDB v2 write API as far as collectors use it: it hands
// lines to a tally and says that all is well.
type sink struct {
	address string
	server  *http.Server
	serving sync.WaitGroup
	readers sync.Pool // of *bufio.Reader
}

const readBuffer = 256 << 10 // also the longest line

// openSink serves at an address until close is called.
func openSink(ctx context.Context, address string, t *tally) (*sink, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("sink: %w; choose another address with -sink", err)
	}
	s := &sink{address: l.Addr().String()}
	s.readers.New = func() any { return bufio.NewReaderSize(nil, readBuffer) }
	s.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v2/write") {
			if err := s.write(r, t); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	s.serving.Go(func() { _ = s.server.Serve(l) }) // ends with close
	return s, nil
}

func (s *sink) write(r *http.Request, t *tally) error {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		body = z
	}
	reader := s.readers.Get().(*bufio.Reader)
	defer s.readers.Put(reader)
	reader.Reset(body)
	return t.read(reader)
}

func (s *sink) close() {
	_ = s.server.Close() // nothing is left to be lost
	s.serving.Wait()
}
