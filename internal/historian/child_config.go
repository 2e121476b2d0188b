package historian

import (
	"fmt"
	"path/filepath"
	"strings"
)

// childFile is the engine's configuration: loopback only, no reporting, no
// services but HTTP with Flux. Every write is synced to the disk before it is
// acknowledged (wal-fsync-delay is 0 by default).
func childFile(dir, addr string) []byte {
	return fmt.Appendf(nil, `# Generated at each start; changes are lost.
reporting-disabled = true
bind-address = "127.0.0.1:0"

[meta]
  dir = %q

[data]
  dir = %q
  wal-dir = %q
  index-version = "tsi1"
  query-log-enabled = false
  max-series-per-database = 0
  max-values-per-tag = 0

[coordinator]
  query-timeout = "60s"

[monitor]
  store-enabled = false

[subscriber]
  enabled = false

[continuous_queries]
  enabled = false

[http]
  enabled = true
  bind-address = %q
  auth-enabled = false
  log-enabled = false
  flux-enabled = true
  pprof-enabled = false
  ping-auth-enabled = false
  max-body-size = 0

[logging]
  format = "logfmt"
  level = "info"
  suppress-logo = true
`, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), addr)
}

// childEnv keeps settings for another InfluxDB away from ours.
func childEnv(env []string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "INFLUXDB_") {
			out = append(out, v)
		}
	}
	return out
}
