package gateway

// Routes are all routes, by the name of their method, as the description tells of them.
func Routes() map[string]string {
	out := map[string]string{}
	for _, r := range routes {
		line := r.verb + " " + r.path
		if r.body != "" {
			line += " body:" + map[bool]string{true: "body", false: r.body}[r.body == "*"]
		}
		for _, f := range r.parameters() {
			if f.Message() == nil { // the description leaves out the mask of a PATCH, which is made from the body
				line += " query:" + f.JSONName()
			}
		}
		out[r.method] = line
	}
	return out
}
