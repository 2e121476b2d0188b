package opcua

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// dataSettings are those of testdata/peer/data.js.
type dataSettings struct {
	Port    int            `json:"port,omitempty"`
	Limits  map[string]int `json:"limits,omitempty"`
	Decoys  []string       `json:"decoys,omitempty"`
	Items   int            `json:"items,omitempty"`
	History bool           `json:"history,omitempty"`
}

// dataPeer is a running data.js.
type dataPeer struct {
	Port      int    `json:"port"`
	Namespace int    `json:"namespace"`
	SHA256    string `json:"sha256"`

	stdin io.WriteCloser
	done  chan struct{} // one for each command that was obeyed
	stop  func()
}

func (p *dataPeer) hostPort() string { return fmt.Sprintf("127.0.0.1:%d", p.Port) }

// dataServer starts data.js until the test ends or stop is called.
func dataServer(t testing.TB, settings dataSettings) *dataPeer {
	t.Helper()
	const dir = "testdata/peer"
	if _, err := os.Stat(dir + "/node_modules/node-opcua"); err != nil {
		t.Fatalf("no node-opcua to test against (%v); npm ci --prefix drivers/opcua/%s", err, dir)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "data.js", string(text))
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node: %v; apt-get install nodejs npm", err)
	}
	p := &dataPeer{stdin: stdin, done: make(chan struct{}, 100)}
	ready := make(chan struct{})
	var printed sync.WaitGroup
	printed.Go(func() {
		lines := bufio.NewScanner(stdout)
		started := false
		for lines.Scan() {
			if !started && json.Unmarshal(lines.Bytes(), p) == nil && p.Port > 0 {
				started = true
				close(ready)
				continue
			}
			if strings.Contains(lines.Text(), `"done"`) {
				p.done <- struct{}{}
			}
		}
	})
	p.stop = sync.OnceFunc(func() {
		_ = stdin.Close()
		printed.Wait()
		if err := cmd.Wait(); err != nil {
			t.Logf("node-opcua: %v\n%s", err, stderr.String())
		}
	})
	t.Cleanup(p.stop)
	select {
	case <-ready:
	case <-time.After(60 * time.Second):
		_ = cmd.Process.Kill()
		p.stop()
		t.Fatalf("node-opcua did not start:\n%s", stderr.String())
	}
	return p
}

// tell gives the server a command and waits until it was obeyed.
func (p *dataPeer) tell(t testing.TB, command any) {
	t.Helper()
	b, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(b, '\n')); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatalf("the server did not obey %s", b)
	}
}

func (p *dataPeer) set(t testing.TB, values map[string]float64) {
	t.Helper()
	p.tell(t, map[string]any{"set": values})
}
