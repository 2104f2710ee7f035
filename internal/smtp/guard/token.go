package guard

import (
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"qmail/internal/sys"
	"qmail/internal/sys/priv"
)

const (
	// tokenPrefix begins, in the place of a password, the path of a program that prints a token, and its arguments.
	tokenPrefix = "token:"
	// tokenWithin is how long the program may take.
	tokenWithin = 30 * time.Second
	// maxToken is how much of its output is taken.
	maxToken = 8 << 10
)

var errToken = errors.New("the program for the token has yielded none")

// tokenProgram returns the words of a command, which blanks part.
func tokenProgram(secret string) (words []string, ok bool) {
	command, ok := strings.CutPrefix(secret, tokenPrefix+"/")
	if !ok {
		return nil, false
	}
	words = slices.DeleteFunc(strings.Split("/"+command, " "), func(w string) bool { return w == "" })
	return words, true
}

// token runs the program and returns the first line that it prints.
func (p *plan) token(words []string) (string, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return "", errToken
	}
	defer null.Close()
	out, in, err := sys.OutputPipe()
	if err != nil {
		return "", errToken
	}
	defer out.Close()
	child, err := priv.Start(priv.Child{Path: words[0], Args: words, Env: p.env, Files: []*os.File{null, in, null}})
	in.Close()
	if err != nil {
		return "", errToken
	}
	out.SetReadDeadline(time.Now().Add(tokenWithin))
	b := make([]byte, maxToken)
	n := 0
	for err == nil && n < len(b) {
		var k int
		k, err = out.Read(b[n:])
		n += k
	}
	if n == len(b) || os.IsTimeout(err) {
		child.Kill()
	}
	state, werr := child.Wait()
	token, _, _ := strings.Cut(string(b[:n]), "\n")
	if werr != nil || !state.Success() || token == "" {
		return "", errToken
	}
	return token, nil
}
