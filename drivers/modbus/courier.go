package modbus

import (
	"errors"
	"fmt"

	"github.com/goburrow/modbus"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// courier stands between goburrow's client, which waits for an answer, and
// the gateway, where nobody waits. Asked for a request it keeps the frame and
// gives no answer; once an answer has come, the client is run again and is
// handed it, to verify and take apart.
type courier struct {
	framing framing
	client  modbus.Client
	request []byte
	answer  []byte
}

// framing is how a PDU is wrapped.
type framing uint8

const (
	mbap framing = iota // Modbus/TCP, plain or TLS
	rtu                 // unit and checksum: serial lines and their tunnels
)

func newCourier(f framing, unit byte) *courier {
	c := &courier{framing: f}
	packager := tcpPackager(unit)
	if f == rtu {
		packager = rtuPackager(unit)
	}
	c.client = modbus.NewClient2(packager, c)
	return c
}

var errNoAnswer = errors.New("the answer has not come yet")

// Send implements goburrow's Transporter.
func (c *courier) Send(request []byte) ([]byte, error) {
	if c.answer == nil {
		c.request = request
		return nil, errNoAnswer
	}
	if c.framing == mbap {
		copy(c.answer[:2], request[:2]) // the gateway has matched the transaction
	}
	return c.answer, nil
}

// frame returns the request that reads a block.
func (c *courier) frame(b *profile.Block) ([]byte, error) {
	c.answer = nil
	if _, err := c.read(b); !errors.Is(err, errNoAnswer) {
		return nil, fmt.Errorf("%s %d, %d of them: %w", b.Table, b.Address, b.Count, err)
	}
	return c.request, nil
}

// open returns the data in an answer to a block's request.
func (c *courier) open(b *profile.Block, answer []byte) ([]byte, error) {
	c.answer = answer
	data, err := c.read(b)
	c.answer = nil
	return data, err
}

func (c *courier) read(b *profile.Block) ([]byte, error) {
	read := c.client.ReadHoldingRegisters
	switch b.Table {
	case profile.Input:
		read = c.client.ReadInputRegisters
	case profile.Coil:
		read = c.client.ReadCoils
	case profile.Discrete:
		read = c.client.ReadDiscreteInputs
	}
	return read(b.Address, b.Count)
}
