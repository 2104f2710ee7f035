package control

const (
	// defaultMaxRcpt is how many recipients a message may have where control/maxrcpt does not say.
	defaultMaxRcpt = 1000
	// perRecipient is how many bytes there are for each of them on average, and leastBytes for all of them in any case.
	perRecipient, leastBytes = 256, 64 << 10
	// mostBytes bounds them where nothing else does.
	mostBytes = 16 << 20
)

// A RecipientLimit bounds the recipients of one message from the network.
type RecipientLimit struct {
	Count int // 0: any number
	Bytes int
}

// RecipientLimit reads control/maxrcpt; otherwise is the number where that is absent.
func (d Dir) RecipientLimit(otherwise int) (RecipientLimit, error) {
	n, err := d.Int("maxrcpt", otherwise)
	if err != nil {
		return RecipientLimit{}, err
	}
	if n == 0 || n > mostBytes/perRecipient {
		return RecipientLimit{n, mostBytes}, nil
	}
	return RecipientLimit{n, max(n*perRecipient, leastBytes)}, nil
}

// StrangersRecipients is RecipientLimit for those who may be anybody.
func (d Dir) StrangersRecipients() (RecipientLimit, error) { return d.RecipientLimit(defaultMaxRcpt) }

// Allows reports whether a message may have so many recipients, of so many bytes.
func (l RecipientLimit) Allows(count, bytes int) bool {
	return (l.Count == 0 || count <= l.Count) && bytes <= l.Bytes
}
