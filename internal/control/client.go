package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"
	"time"
)

// Limits of an answer.
const (
	answerTime = 90 * time.Second // a reload waits for reads under way, and for another reload
	answerSize = 256 << 20
)

var (
	// ErrNotRunning is returned where no program serves the data folder.
	ErrNotRunning = errors.New("no gridwarden runs with this data folder")
	// ErrNoDevice is said of a device that the program does not have.
	ErrNoDevice = errors.New("no such device")
)

// noDeviceError is ErrNoDevice in the program's words.
type noDeviceError struct{ error }

// Is makes it ErrNoDevice.
func (noDeviceError) Is(target error) bool { return target == ErrNoDevice }

// Client asks the program that runs with a data folder.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client for the data folder dir. It connects with each call.
func NewClient(dir string) *Client {
	c := &Client{path: filepath.Join(dir, socketName)}
	c.http = &http.Client{Timeout: answerTime, Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
	return c
}

func (c *Client) dial(ctx context.Context, _, _ string) (conn net.Conn, err error) {
	err = reached(c.path, func(address string) (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "unix", address)
		return err //nolint:wrapcheck // ask says what it means
	})
	return conn, err
}

// Devices returns every device in the order of the configuration.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var list []Device
	_, err := c.ask(ctx, http.MethodGet, "/devices", &list)
	return list, err
}

// Device returns one device, or an error that is ErrNoDevice.
func (c *Client) Device(ctx context.Context, id string) (*Detail, error) {
	var d Detail
	status, err := c.ask(ctx, http.MethodGet, "/devices/"+url.PathEscape(id), &d)
	if status == http.StatusNotFound {
		return nil, noDeviceError{err}
	}
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// Reload has the configured devices read again. A result that is refused is no error.
func (c *Client) Reload(ctx context.Context) (*Reload, error) {
	var r Reload
	if _, err := c.ask(ctx, http.MethodPost, "/reload", &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// ask sends a request and decodes the answer into out.
func (c *Client) ask(ctx context.Context, method, path string, out any) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://gridwarden"+path, http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("ask the running program: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, c.unreached(err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body := json.NewDecoder(io.LimitReader(response.Body, answerSize))
	switch response.StatusCode {
	case http.StatusOK, http.StatusUnprocessableEntity:
		err = body.Decode(out)
	default:
		var p problem
		if err = body.Decode(&p); err == nil {
			return response.StatusCode, errors.New(p.Error)
		}
	}
	if err != nil {
		return response.StatusCode, fmt.Errorf("the program at %s gave an answer that cannot be read (%w); it may be of another version: restart it", c.path, err)
	}
	return response.StatusCode, nil
}

// unreached says why the program could not be asked.
func (c *Client) unreached(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: nobody answers at %s", ErrNotRunning, c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may only be opened by the user who runs the program; run this command as that user", c.path)
	}
	return fmt.Errorf("the program at %s does not answer: %w", c.path, err)
}
