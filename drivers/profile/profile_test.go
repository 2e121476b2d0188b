package profile

import (
	"os"
	"testing"
)

func TestExamples(t *testing.T) {
	all, err := LoadFS(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range all {
		t.Log(name, p.Quantities())
	}
	mb := all["example-modbus"].Modbus
	t.Log(mb.Blocks())
	if v := mb.Points[3].Decode([]byte{0x30, 0x39, 0, 0}); v.Number != 12.345 {
		t.Error(v)
	}
}
