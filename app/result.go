package app

// Table is a result of rows. As JSON it is an array of objects with the columns as keys.
type Table struct {
	// Columns are lower case.
	Columns []string
	// Rows have a value (string, number, bool, fmt.Stringer or nil) per column.
	Rows [][]any
}

// Add appends a row.
func (t *Table) Add(values ...any) { t.Rows = append(t.Rows, values) }

// Record is a result of named values, shown one per line in the order given. As JSON it is an object.
type Record []Field

// Field is a named value of a Record.
type Field struct {
	Name  string
	Value any
}
