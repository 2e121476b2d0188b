package main

import (
	"fmt"
	"strings"
)

// telegraf writes a Telegraf configuration: a plugin instance for each
// connection; devices read in one request each, or with the older style
// "register", in one request a field.
func (r *runner) telegraf(c *Case, list []Device, sink string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[agent]\n  interval = %q\n  round_interval = true\n  metric_batch_size = 5000\n  metric_buffer_limit = 200000\n"+
		"  collection_jitter = %q\n  flush_interval = \"1s\"\n  flush_jitter = \"0s\"\n  omit_hostname = true\n", c.Interval.String(), r.jitter)
	for _, l := range strings.Split(r.agentExtra, ";") {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	if r.out == outStdout {
		b.WriteString("[[outputs.file]]\n  files = [\"stdout\"]\n  data_format = \"influx\"\n")
	} else {
		fmt.Fprintf(&b, "[[outputs.influxdb_v2]]\n  urls = [\"http://%s\"]\n  token = \"t\"\n  organization = \"o\"\n  bucket = \"b\"\n", sink)
	}
	last := ""
	for _, d := range list {
		controller := fmt.Sprintf("tcp://%s:%d", d.Host, d.Port)
		if c.Style == styleRegister || c.Mode == modePorts || controller != last {
			fmt.Fprintf(&b, "[[inputs.modbus]]\n  name = %q\n  timeout = %q\n  controller = %q\n", d.Name, r.timeout, controller)
			last = controller
			if c.Style != styleRegister {
				b.WriteString("  configuration_type = \"request\"\n")
			}
		}
		if c.Style == styleRegister {
			telegrafRegisters(&b, &d)
		} else {
			telegrafRequest(&b, &d)
		}
	}
	return b.String()
}

// styleRegister is Telegraf's style of configuration by registers.
const styleRegister = "register"

func telegrafRequest(b *strings.Builder, d *Device) {
	fmt.Fprintf(b, "  [[inputs.modbus.request]]\n    slave_id = %d\n    byte_order = \"ABCD\"\n    register = \"holding\"\n    measurement = \"meter\"\n"+
		"    optimization = \"max_insert\"\n    optimization_max_register_fill = 50\n    fields = [\n", d.Unit)
	for _, f := range d.Fields {
		fmt.Fprintf(b, "      { address=%d, name=%q, type=%q },\n", f.Addr, f.Name, f.Type)
	}
	fmt.Fprintf(b, "    ]\n    [inputs.modbus.request.tags]\n      device = %q\n", d.Name)
}

func telegrafRegisters(b *strings.Builder, d *Device) {
	fmt.Fprintf(b, "  slave_id = %d\n  configuration_type = \"register\"\n  holding_registers = [\n", d.Unit)
	for _, f := range d.Fields {
		kind, order, address := "UINT16", "AB", fmt.Sprintf("[%d]", f.Addr)
		if f.Type == "FLOAT32" {
			kind, order, address = "FLOAT32-IEEE", "ABCD", fmt.Sprintf("[%d,%d]", f.Addr, f.Addr+1)
		}
		fmt.Fprintf(b, "    { measurement=\"meter\", name=%q, byte_order=%q, data_type=%q, scale=1.0, address=%s },\n", f.Name, order, kind, address)
	}
	fmt.Fprintf(b, "  ]\n  [inputs.modbus.tags]\n    device = %q\n", d.Name)
}
