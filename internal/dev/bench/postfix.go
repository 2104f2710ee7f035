package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postfix is Debian's Postfix, with the limits of the other systems.
type postfix struct {
	meter  *meter
	others []*exec.Cmd // what it asks
}

func (p *postfix) name() string      { return "postfix" }
func (p *postfix) folders() []string { return []string{"/var/spool/postfix", homes()} }

func (p *postfix) sendmail() []string {
	return []string{"/usr/sbin/sendmail", "-f", "sender@load.test", "user%d@" + domain}
}

// postfixFiles makes the two files that a Postfix lacks which was installed without a configuration.
func postfixFiles() error {
	if _, err := os.Stat("/etc/postfix/main.cf"); err == nil {
		return nil
	}
	if err := os.WriteFile("/etc/postfix/main.cf", []byte("compatibility_level = 3.6\n"), 0o644); err != nil {
		return err
	}
	if _, err := os.Stat("/etc/postfix/master.cf"); err == nil {
		return nil
	}
	return command("cp", "/usr/share/postfix/master.cf.dist", "/etc/postfix/master.cf")
}

func (p *postfix) start(w way) error {
	var table []string
	for i, u := range users() {
		table = append(table, fmt.Sprintf("user%d@%s=%s@%s", i, domain, u.Name, domain))
	}
	settings := []string{
		"compatibility_level=3.6", "myhostname=" + domain, "mydestination=" + domain, "home_mailbox=Maildir/",
		"mynetworks=127.0.0.0/8", "inet_interfaces=127.0.0.1", "inet_protocols=ipv4", "smtp_dns_support_level=disabled",
		"smtpd_peername_lookup=no", "transport_maps=inline:{sink.test=smtp:[127.0.0.1]:2525}", "default_process_limit=400",
		"default_destination_concurrency_limit=" + strconv.Itoa(concurrencyRemote), "initial_destination_concurrency=20",
		"local_destination_concurrency_limit=" + strconv.Itoa(concurrencyLocal), "alias_maps=", "alias_database=",
		"virtual_alias_maps=inline:{" + strings.Join(table, ",") + "}",
		"smtp_host_lookup=native", "maillog_file=/var/log/mail.log", "smtpd_client_connection_count_limit=0",
		"mailbox_size_limit=0", "in_flow_delay=0",
	}
	settings = append(settings, postfixTLS(w)...)
	proof, err := p.prove(w)
	if err != nil {
		return err
	}
	settings = append(settings, proof...)
	if err := command("postconf", append([]string{"-e"}, settings...)...); err != nil {
		return err
	}
	exec.Command("postconf", "-M#", "smtp/inet").Run()
	port := "2500"
	if w == byLogin {
		port = "2587"
		if err := p.passwords(); err != nil {
			return err
		}
	}
	exec.Command("postconf", "-MX", "2500/inet", "2587/inet").Run()
	if err := command("postconf", "-M", port+"/inet="+port+" inet n - n - - smtpd"); err != nil {
		return err
	}
	for _, s := range []string{"smtp/unix", "local/unix", "cleanup/unix", "qmgr/unix", "rewrite/unix"} {
		if err := command("postconf", "-F", s+"/chroot=n"); err != nil {
			return err
		}
	}
	if out, err := p.meter.command("postfix", "start").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix start: %w: %s", err, out)
	}
	return until("port "+port, 20*time.Second, func() bool { return listening(port) })
}

func (p *postfix) stop() {
	exec.Command("postfix", "stop").Run()
	for _, c := range p.others {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
	}
	p.others = nil
	time.Sleep(time.Second)
}
