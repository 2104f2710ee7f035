package dns

import (
	"math/rand/v2"

	"golang.org/x/net/dns/dnsmessage"
)

// mixed returns a name with the case of each letter drawn by lot. A server sends the question back as it came,
// so whoever forges an answer has to guess the letters besides the number and the port.
func mixed(n dnsmessage.Name) dnsmessage.Name {
	var lots uint64
	for i, c := range n.Data[:n.Length] {
		if i%64 == 0 {
			lots = rand.Uint64()
		}
		if letter := c | 0x20; 'a' <= letter && letter <= 'z' {
			n.Data[i] = letter ^ byte(lots>>(i%64)&1)<<5
		}
	}
	return n
}

// echoed reports whether a name came back as it was sent, case and all.
func echoed(got, sent dnsmessage.Name) bool {
	return string(got.Data[:got.Length]) == string(sent.Data[:sent.Length])
}

// unmix gives the names inside the records the case that the question had before it was mixed: in an answer
// they may be pointers at the question.
func (a *answer) unmix(sent, asked dnsmessage.Name) {
	for i := range a.records {
		switch b := a.records[i].Body.(type) {
		case *dnsmessage.MXResource:
			unmix(&b.MX, sent, asked)
		case *dnsmessage.CNAMEResource:
			unmix(&b.CNAME, sent, asked)
		case *dnsmessage.PTRResource:
			unmix(&b.PTR, sent, asked)
		}
	}
}

func unmix(n *dnsmessage.Name, sent, asked dnsmessage.Name) {
	for i, j := int(n.Length)-1, int(sent.Length)-1; i >= 0 && j >= 0 && n.Data[i] == sent.Data[j]; i, j = i-1, j-1 {
		n.Data[i] = asked.Data[j]
	}
}
