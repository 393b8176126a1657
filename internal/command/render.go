package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"peerlab.example/peerlab/app"
)

// Text writes a result as a person reads it. A nil result writes nothing.
func Text(w io.Writer, result any) error {
	switch r := result.(type) {
	case nil:
		return nil
	case *app.Table:
		return Text(w, *r)
	case app.Table:
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(tw, strings.ToUpper(strings.Join(r.Columns, "\t")))
		for _, row := range r.Rows {
			cells := make([]string, len(row))
			for i, v := range row {
				cells[i] = cell(v)
			}
			_, _ = fmt.Fprintln(tw, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
		}
		return tw.Flush()
	case app.Record:
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range r {
			_, _ = fmt.Fprintf(tw, "%s\t%s\n", f.Name, cell(f.Value))
		}
		return tw.Flush()
	case string: // perhaps several lines
		for line := range strings.Lines(r) {
			if _, err := io.WriteString(w, Clean(strings.TrimSuffix(line, "\n"))+"\n"); err != nil {
				return err
			}
		}
		if r == "" {
			_, err := io.WriteString(w, "\n")
			return err
		}
		return nil
	default:
		_, err := io.WriteString(w, cell(r)+"\n")
		return err
	}
}

// cell shows a value of a table. What comes from peers is stripped before it gets here, but a
// table must not be broken by a tab or a line end either.
func cell(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case time.Duration:
		return Duration(x)
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.Format("15:04:05.000")
	case []string:
		return Clean(strings.Join(x, ","))
	}
	return Clean(fmt.Sprint(v))
}

// Duration shows a duration with three significant digits, which is all that a measurement
// on a busy machine is worth.
func Duration(d time.Duration) string {
	for unit := time.Duration(1); unit < time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(time.Second).String()
}

// asRecord is a row of a table with the names of its columns.
func asRecord(columns []string, row []any) app.Record {
	r := make(app.Record, len(row))
	for i, v := range row {
		r[i] = app.Field{Name: columns[i], Value: v}
	}
	return r
}

// JSON is a result as JSON on one line, with the fields in the order of the result; "" for none.
func JSON(result any) (string, error) {
	if result == nil {
		return "", nil
	}
	var b bytes.Buffer
	if err := writeJSON(&b, result); err != nil {
		return "", err
	}
	return b.String(), nil
}

func writeJSON(b *bytes.Buffer, result any) error {
	switch r := result.(type) {
	case *app.Table:
		return writeJSON(b, *r)
	case app.Table:
		b.WriteByte('[')
		for i, row := range r.Rows {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, asRecord(r.Columns, row)); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case app.Record:
		b.WriteByte('{')
		for i, f := range r {
			if i > 0 {
				b.WriteByte(',')
			}
			key, _ := json.Marshal(f.Name)
			b.Write(key)
			b.WriteByte(':')
			if err := writeJSON(b, f.Value); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case time.Duration:
		result = r.String()
	case fmt.Stringer:
		if _, ok := result.(json.Marshaler); !ok {
			result = r.String()
		}
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(result); err != nil {
		return fmt.Errorf("result as JSON: %w", err)
	}
	b.Truncate(b.Len() - 1) // the line end that Encode adds
	return nil
}

// PerSecond shows a rate: four digits, or all of those before the point.
func PerSecond(rate float64) string {
	if rate >= 1000 {
		return strconv.FormatFloat(rate, 'f', 0, 64) + "/s"
	}
	return strconv.FormatFloat(rate, 'g', 4, 64) + "/s"
}
