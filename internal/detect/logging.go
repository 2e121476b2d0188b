package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// pluginLogger hands what go-plugin and the plugins log to slog. Plugins know
// pseudonyms only, so their logs hold no personal data.
func pluginLogger(logger *slog.Logger) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Debug, JSONFormat: true, Output: &slogWriter{logger}})
}

// slogWriter takes hclog's JSON lines. One write is one line.
type slogWriter struct{ logger *slog.Logger }

var _ io.Writer = (*slogWriter)(nil)

// Write implements io.Writer.
func (w *slogWriter) Write(line []byte) (int, error) {
	var fields map[string]any
	if err := json.Unmarshal(bytes.TrimSpace(line), &fields); err != nil {
		w.logger.Debug("plugin", "line", string(line))
		return len(line), nil
	}
	level := slog.LevelDebug
	switch fields["@level"] {
	case "warn":
		level = slog.LevelInfo // go-plugin warns of what its host has decided
	case "error":
		level = slog.LevelWarn
	}
	message, _ := fields["@message"].(string)
	var attributes []any
	for name, value := range fields {
		if name != "" && name[0] != '@' {
			attributes = append(attributes, slog.Any(name, value))
		}
	}
	w.logger.Log(context.Background(), level, message, attributes...)
	return len(line), nil
}
