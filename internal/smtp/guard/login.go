package guard

import (
	"encoding/base64"
	"errors"
	"slices"

	"qmail/internal/auth/sasl"
	"qmail/internal/auth/scram"
	"qmail/internal/smtp/remote"
	"qmail/internal/text/ascii"
)

var (
	errMechanism = errors.New("it offers no way to log in that is known here")
	errChallenge = errors.New("its challenge makes no sense")
	errProof     = errors.New("it did not prove that it knows the password")
	errSecret    = errors.New("the user name or the password cannot be used")
)

// ways are the mechanisms for a password, the best first. The first two do not tell it to the host.
func ways() []string { return []string{scram.Plus, scram.Plain, sasl.Plain, sasl.Login} }

// logIn begins a login by the best mechanism that the host offers.
func (p *plan) logIn(offered []string) (remote.Talk, error) {
	offers := func(m string) bool {
		return slices.ContainsFunc(offered, func(o string) bool { return ascii.Equal(o, m) })
	}
	ways, secret := ways(), p.login.Password
	if program, ok := tokenProgram(secret); ok {
		var err error
		if secret, err = p.token(program); err != nil {
			return nil, err
		}
		ways = []string{sasl.OAuthBearer, sasl.XOAuth2}
	}
	b := p.binding
	b.Offered = offers(scram.Plus)
	for _, m := range ways {
		if !offers(m) || m == scram.Plus && b.Exporter == nil || m == scram.Plain && b.Offered && b.Exporter != nil {
			continue
		}
		c, err := sasl.NewClient(m, p.login.User, secret, b)
		if err != nil {
			return nil, errSecret
		}
		return &talk{m, c}, nil
	}
	return nil, errMechanism
}

// A talk is a sasl.Client whose messages are lines of SMTP.
type talk struct {
	mechanism string
	client    *sasl.Client
}

func (t *talk) Command() string {
	initial := t.client.Initial()
	if initial == nil {
		return "AUTH " + t.mechanism
	}
	return "AUTH " + t.mechanism + " " + base64.StdEncoding.EncodeToString(initial)
}

func (t *talk) Answer(challenge string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(challenge)
	if err != nil && t.mechanism != sasl.Login { // of which the challenges mean nothing
		return "", errChallenge
	}
	answer, err := t.client.Next(b)
	if err != nil {
		return "", errChallenge
	}
	return base64.StdEncoding.EncodeToString(answer), nil
}

func (t *talk) Finish() error {
	if t.client.Finish() != nil {
		return errProof
	}
	return nil
}
