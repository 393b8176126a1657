// Package functions stands for the package of the Functions Framework of the same name.
package functions

import "net/http"

// HTTP registers a function.
func HTTP(name string, f http.HandlerFunc) { http.HandleFunc("/", f) }
