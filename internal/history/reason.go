package history

import "strings"

// reason brings texts that differ in numbers only to one: an address or a queue id in them is not the reason.
// Status codes stay as they are.
func reason(text string) string {
	const longest = 200
	b := make([]byte, 0, min(len(text), longest))
	for i := 0; i < len(text) && len(b) < longest; {
		if c := text[i]; c < '0' || c > '9' {
			b = append(b, c)
			i++
			continue
		}
		end := i
		for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.') {
			end++
		}
		number := strings.TrimRight(text[i:end], ".")
		if alone := i == 0 || !letter(text[i-1]); alone && isStatus(number) &&
			(i+len(number) == len(text) || !letter(text[i+len(number)])) {
			b = append(b, number...)
		} else {
			for k := range len(number) {
				if number[k] == '.' {
					b = append(b, '.')
				} else if k == 0 || number[k-1] == '.' {
					b = append(b, 'N')
				}
			}
		}
		i += len(number)
	}
	return string(b[:min(len(b), longest)])
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '@' }

// isStatus reports whether a number is a reply code of SMTP, as 550, or a status of RFC 3463, as 5.1.1.
func isStatus(s string) bool {
	if s[0] != '2' && s[0] != '4' && s[0] != '5' {
		return false
	}
	f := strings.Split(s, ".")
	return len(f) == 1 && len(s) == 3 || len(f) == 3 && len(f[0]) == 1 && between(f[1]) && between(f[2])
}

func between(s string) bool { return len(s) >= 1 && len(s) <= 3 }
