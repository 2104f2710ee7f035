package passwd

const shadowFile = "/etc/shadow"

// A Shadow is what /etc/shadow says of a user.
type Shadow struct {
	Hash    string // in the form of crypt(5)
	Expires int    // the day after 1970-01-01 on which the account is over; 0: none
}

// LookupShadow returns the entry of a user, and calls each with the hash of every line, this one's included, so that as
// much is read for a name that is not there. ErrUnknown means that the file was read whole and has no such line.
func LookupShadow(root, name string, each func(hash string)) (s Shadow, err error) {
	found := false
	err = eachLine(root+shadowFile, func(f []string) bool {
		each(f[1])
		if f[0] != name || found {
			return true
		}
		s.Hash, found = f[1], true
		if len(f) > 7 && f[7] != "" {
			var ok bool
			if s.Expires, ok = number(f[7]); !ok || s.Expires == 0 {
				s.Expires = 1 // what cannot be read is over
			}
		}
		return true
	})
	switch {
	case err != nil:
		return Shadow{}, err
	case !found:
		return Shadow{}, ErrUnknown
	}
	return s, nil
}
