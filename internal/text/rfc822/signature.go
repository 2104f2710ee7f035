package rfc822

import "strings"

// SignatureVariable is in the environment of a delivery whose message gets signatures on top: they are its value.
const SignatureVariable = "DKIMSIGNATURE"

// signatureField is what each of them begins with.
const signatureField = "DKIM-Signature:"

// AreSignatures reports whether b can go on top of a message: it has whole fields with signatures, or nothing.
func AreSignatures[T string | []byte](b T) bool {
	s := string(b)
	if s == "" {
		return true
	}
	if !strings.HasPrefix(s, signatureField) || !strings.HasSuffix(s, "\n") || strings.ContainsRune(s, 0) {
		return false
	}
	for line := range strings.SplitSeq(s[:len(s)-1], "\n") {
		continued := len(line) > 1 && (line[0] == ' ' || line[0] == '\t') && strings.Trim(line, " \t\r") != ""
		if !continued && !strings.HasPrefix(line, signatureField) {
			return false
		}
	}
	return true
}
