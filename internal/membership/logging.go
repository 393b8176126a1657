package membership

import (
	"bytes"
	"io"
	"log"

	"github.com/rs/zerolog"
)

// newLogger is memberlist's logger: its lines, "[WARN] memberlist: text", become events of log
// with that level. Nothing is formatted when log shows nothing.
func newLogger(to zerolog.Logger) *log.Logger {
	if to.GetLevel() == zerolog.Disabled {
		return log.New(io.Discard, "", 0)
	}
	return log.New(logWriter{log: to}, "", 0)
}

type logWriter struct{ log zerolog.Logger }

// Write takes one line. log.Logger calls it for one line at a time.
func (w logWriter) Write(line []byte) (int, error) {
	n := len(line)
	level, text := parseLine(line)
	w.log.WithLevel(w.quiet(level)).Msg(string(text))
	return n, nil
}

// quiet is Disabled for a level below that of the logger, which WithLevel would let through.
func (w logWriter) quiet(level zerolog.Level) zerolog.Level {
	if level < w.log.GetLevel() {
		return zerolog.Disabled
	}
	return level
}

// parseLine takes level and name off a line of memberlist. A line without a level is a warning:
// memberlist writes its rarest failures so.
func parseLine(line []byte) (zerolog.Level, []byte) {
	line = bytes.TrimSpace(line)
	level := zerolog.WarnLevel
	if len(line) > 0 && line[0] == '[' {
		if end := bytes.IndexByte(line, ']'); end > 0 {
			switch string(line[1:end]) {
			case "DEBUG":
				level = zerolog.DebugLevel
			case "INFO":
				level = zerolog.InfoLevel
			case "ERR", "ERROR":
				level = zerolog.ErrorLevel
			}
			line = bytes.TrimSpace(line[end+1:])
		}
	}
	return level, bytes.TrimPrefix(line, []byte("memberlist: "))
}
