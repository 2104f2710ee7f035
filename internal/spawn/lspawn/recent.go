package lspawn

import (
	"sync"
	"time"

	"qmail/internal/site/users"
)

const (
	// answerAge is how long an answer of qmail-getpw is used again. A lookup for each of the messages that come together
	// costs more than their delivery; a user who is changed sees it a moment later.
	answerAge = time.Second
	// maxAnswers bounds how many are held.
	maxAnswers = 500
)

// answers are what qmail-getpw has said a moment ago.
type answers struct {
	mu   sync.Mutex
	last map[string]answer
}

type answer struct {
	user users.User
	at   time.Time
}

// get returns the answer for a local address, if one was given within the last moment.
func (a *answers) get(local string) (users.User, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x, ok := a.last[local]
	return x.user, ok && time.Since(x.at) < answerAge
}

func (a *answers) put(local string, u users.User) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil || len(a.last) >= maxAnswers {
		a.last = make(map[string]answer)
	}
	a.last[local] = answer{u, time.Now()}
}
