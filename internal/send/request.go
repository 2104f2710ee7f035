package send

// A Request is one of a queue tool.
type Request struct{}

func (d *daemon) request(Request) {}
