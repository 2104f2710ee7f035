package control

const (
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

// StrangersRecipients reads control/maxrcpt for those who may be anybody.
func (d Dir) StrangersRecipients() (RecipientLimit, error) {
	n, err := d.Int("maxrcpt")
	if n == 0 || n > mostBytes/perRecipient {
		return RecipientLimit{n, mostBytes}, err
	}
	return RecipientLimit{n, max(n*perRecipient, leastBytes)}, err
}

// FriendsRecipients reads it for those who are known: where the file is absent there is no limit.
func (d Dir) FriendsRecipients() (RecipientLimit, error) {
	if _, ok, err := d.Line("maxrcpt"); !ok {
		return RecipientLimit{0, mostBytes}, err
	}
	return d.StrangersRecipients()
}

// Allows reports whether a message may have so many recipients, of so many bytes.
func (l RecipientLimit) Allows(count, bytes int) bool {
	return (l.Count == 0 || count <= l.Count) && bytes <= l.Bytes
}
