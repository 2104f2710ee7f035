package main

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"qmail/conf"
	"qmail/internal/mailauth/dkim"
)

// The mail of these workloads is of one domain, whose key is the same for all systems.
const (
	author   = "load.example" // opendkim's resolver asks nobody about names below test
	selector = "s1"
	// nameServer is not where the world has one that knows nothing.
	nameServer = "127.0.0.2"
)

func signingKey() string { return conf.Home() + "/keys/dkim/" + author + "/" + selector + ".pem" }

// names starts a name server with what proves who the author is; it is not measured.
var names = sync.OnceValue(func() error {
	out, err := exec.Command(conf.Home()+"/bin/qmail-dkimkey", author, selector).Output()
	if err != nil {
		return fmt.Errorf("qmail-dkimkey: %w", err)
	}
	_, record, _ := strings.Cut(string(out), " IN TXT ( ")
	record, _, ok := strings.Cut(record, " )\n")
	if !ok {
		return errors.New("qmail-dkimkey prints no record")
	}
	if err := os.WriteFile("/etc/resolv.conf", []byte("nameserver "+nameServer+"\n"), 0o644); err != nil {
		return err
	}
	return command("dnsmasq", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
		"--local=/test/", "--local=/example/", "--local=/arpa/",
		"--listen-address="+nameServer, "--bind-interfaces", "--user=root", "--group=",
		"--txt-record="+selector+"._domainkey."+author+","+strings.ReplaceAll(strings.Trim(record, `"`), `" "`, ","),
		"--txt-record="+author+",v=spf1 ip4:127.0.0.1 -all", "--txt-record=_dmarc."+author+",v=DMARC1; p=reject",
		"--mx-host="+author+","+author+",1", "--host-record="+author+",127.0.0.1",
		"--host-record="+domain+",127.0.0.1")
})

// header is the header of all messages.
const header = "From: Sender <sender@" + author + ">\r\nTo: a list <list@sink.test>\r\nSubject: load\r\n" +
	"Date: Sat, 28 Nov 2026 03:00:00 +0000\r\nMessage-ID: <load@" + author + ">\r\n"

// signature returns the field that signs a message.
func signature(message string) (string, error) {
	b, err := os.ReadFile(signingKey())
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return "", errors.New("no key in " + signingKey())
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("the key is not of RSA")
	}
	s := dkim.NewSigner(dkim.Usual(), func([]dkim.Field) []dkim.Canon { return []dkim.Canon{dkim.Relaxed} })
	s.Write([]byte(message))
	if err := s.Close(); err != nil {
		return "", err
	}
	t := dkim.Template{Signature: dkim.Signature{Algorithm: dkim.RSA, Domain: author, Selector: selector,
		Header: dkim.Relaxed, Body: dkim.Relaxed, Time: time.Now().Unix()}}
	line, err := s.Sign(t, func(signed []byte) ([]byte, error) {
		sum := sha256.Sum256(signed)
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	})
	return string(line), err
}

// check sends what has to be verified, and looks whether it was.
func check(_ system, n int, _ *meter) error {
	s := source{way: checking, sessions: 20, messages: n, per: 10, rcpts: 1, to: "user%d@" + domain, users: mailUsers,
		size: 4096}
	if err := s.run(); err != nil {
		return err
	}
	if err := until("deliveries", patience, func() bool { return delivered() >= n }); err != nil {
		return err
	}
	dir := users()[0].Home + "/Maildir/new/"
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("nothing in " + dir)
	}
	b, err := os.ReadFile(dir + list[len(list)-1].Name())
	if err != nil {
		return err
	}
	for _, found := range []string{"spf=pass", "dkim=pass", "dmarc=pass"} {
		if !bytes.Contains(bytes.ToLower(b), []byte(found)) {
			return fmt.Errorf("no %s in %.2000q", found, b)
		}
	}
	return nil
}

// prove has mail signed or checked where the workload says so.
func (q *qmail) prove(w way) error {
	dir := conf.Home() + "/control/"
	for _, files := range switches {
		for name := range files {
			if err := os.Remove(dir + name); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	if w != signing && !w.strange() {
		return nil
	}
	if err := names(); err != nil {
		return err
	}
	for name, text := range switches[w] {
		if err := os.WriteFile(dir+name, []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const (
	opendkimPort  = "8891"
	opendmarcPort = "8893"
)

// milters are what Postfix asks, and their settings. All hosts are strangers to those that check.
var milters = map[string]string{
	"opendkim-s": "Mode s\nSocket inet:" + opendkimPort + "@127.0.0.1\nDomain " + author + "\nSelector " + selector +
		"\nKeyFile %s\nInternalHosts 127.0.0.1\nCanonicalization relaxed/relaxed\nSignatureAlgorithm rsa-sha256\n" +
		"OversignHeaders From,To,Subject,Date\nRequireSafeKeys no\nSyslog no\nBackground no\n",
	"opendkim-v": "Mode v\nSocket inet:" + opendkimPort + "@127.0.0.1\nInternalHosts 192.0.2.1\n" +
		"ExternalIgnoreList 192.0.2.1\nAuthservID " + domain + "\nNameservers " + nameServer + "\nAlwaysAddARHeader yes\n" +
		"Syslog no\nBackground no\n",
	"opendmarc": "Socket inet:" + opendmarcPort + "@127.0.0.1\nAuthservID " + domain + "\nTrustedAuthservIDs " + domain +
		"\nIgnoreHosts /run/bench-ignore\nRejectFailures true\nSyslog no\nBackground no\n",
}

const policySettings = "debugLevel = 0\nHELO_reject = Fail\nMail_From_reject = Fail\nskip_addresses = 192.0.2.1\n" +
	"Header_Type = AR\nAuthserv_Id = " + domain + "\n"

// prove starts the milters of a workload, and returns the settings that have Postfix ask them.
func (p *postfix) prove(w way) ([]string, error) {
	if w.strange() && w != checking {
		return nil, errors.New("the prices of what may refuse a stranger are ours")
	}
	asked, policy := []string{}, "permit_mynetworks, reject_unauth_destination"
	programs := map[way][]string{signing: {"opendkim-s"}, checking: {"opendkim-v", "opendmarc"}}[w]
	if programs != nil {
		if err := names(); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{"ignore": "192.0.2.1\n", "spf.conf": policySettings} {
		if err := os.WriteFile("/run/bench-"+name, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for _, program := range programs {
		text, port := milters[program], opendkimPort
		if program == "opendkim-s" {
			text = fmt.Sprintf(text, signingKey())
		}
		if program == "opendmarc" {
			port = opendmarcPort
		}
		file := "/run/bench-" + program + ".conf"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(program, "-")
		flag := map[string]string{"opendkim": "-x", "opendmarc": "-c"}[name]
		if _, err := exec.LookPath(name); err != nil {
			return nil, err
		}
		if err := p.beside(name, "-f", flag, file); err != nil {
			return nil, err
		}
		if err := until(program, 10*time.Second, func() bool { return listening(port) }); err != nil {
			return nil, err
		}
		asked = append(asked, "inet:"+net.JoinHostPort("127.0.0.1", port))
	}
	if w == checking {
		policy = "reject_unauth_destination, check_policy_service unix:private/policyd-spf"
		if _, err := os.Stat("/usr/bin/policyd-spf"); err != nil {
			return nil, err
		}
		err := command("postconf", "-M",
			"policyd-spf/unix=policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf /run/bench-spf.conf")
		if err != nil {
			return nil, err
		}
	}
	return []string{"smtpd_milters=" + strings.Join(asked, " "), "smtpd_recipient_restrictions=" + policy,
		"policyd-spf_time_limit=3600"}, nil
}

// beside starts a program that Postfix needs, which ends with it.
func (p *postfix) beside(argv ...string) error {
	c := p.meter.command(argv...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	p.others = append(p.others, c)
	return nil
}
