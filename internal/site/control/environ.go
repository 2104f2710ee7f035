package control

// A Variable is an environment variable that a program of the suite reads or sets.
type Variable struct {
	Name    string
	Readers []string // programs that read it
	Setters []string // programs that set it for what they start
	About   string   // one sentence
}

// Variables returns every environment variable of the suite.
func Variables() []Variable {
	var (
		inject  = []string{"qmail-inject", "sendmail"}
		local   = []string{"qmail-local"}
		tcpEnv  = []string{"tcp-env"}
		servers = []string{"qmail-smtpd", "qmail-smtpsd", "qmail-submitd", "qmail-qmtpd", "qmail-qmqpd"}
		plain   = []string{"qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd"} // which link no TLS
		covered = []string{"qmail-popup", "qmail-smtpd"}
		front   = []string{"qmail-tlsfront"}
		hosts   = []string{"qmail-smtpd", "qmail-smtpsd"}
		logins  = []string{"qmail-smtpd", "qmail-smtpsd", "qmail-submitd"}
		check   = "checkpassword"
		readers = []string{"maildir2mbox", "elq", "pinq", "qail"}
	)
	return []Variable{
		{"QMAILQUEUE", append([]string{"qmail-inject", "sendmail", "forward", "condredirect", "qreceipt", "srsfilter",
			"qmail-local",
			"qmail-send"}, servers...), nil,
			"The program that takes the place of qmail-queue."},

		{"QMAILINJECT", inject, nil, "Letters that change what qmail-inject does: c, f, i, m, r, s."},
		{"QMAILUSER", inject, nil, "The user name of From and of the envelope sender; then MAILUSER, USER and LOGNAME."},
		{"MAILUSER", inject, nil, "The user name where QMAILUSER is not set."},
		{"LOGNAME", inject, nil, "The user name where QMAILUSER, MAILUSER and USER are not set."},
		{"QMAILHOST", inject, nil, "The host name of From and of the envelope sender; then MAILHOST."},
		{"MAILHOST", inject, nil, "The host name where QMAILHOST is not set."},
		{"QMAILSUSER", inject, nil, "The user name of the envelope sender alone."},
		{"QMAILSHOST", inject, nil, "The host name of the envelope sender alone."},
		{"QMAILNAME", inject, nil, "The personal name of From; then MAILNAME and NAME."},
		{"MAILNAME", inject, nil, "The personal name where QMAILNAME is not set."},
		{"NAME", inject, nil, "The personal name where QMAILNAME and MAILNAME are not set."},
		{"QMAILDEFAULTHOST", inject, nil, "Stands for control/defaulthost."},
		{"QMAILDEFAULTDOMAIN", inject, nil, "Stands for control/defaultdomain."},
		{"QMAILPLUSDOMAIN", inject, nil, "Stands for control/plusdomain."},
		{"QMAILIDHOST", inject, nil, "Stands for control/idhost."},
		{"QMAILMFTFILE", inject, nil, "A file of mailing list addresses: a message to one of them gets Mail-Followup-To."},

		{"RELAYCLIENT", []string{"qmail-smtpd", "qmail-smtpsd", "qmail-qmtpd", "qmail-verify"}, logins,
			"Where it is set, every recipient is accepted, with its value at the end, and nothing is checked."},
		{"DATABYTES", servers[:4], nil, "Stands for control/databytes."},
		{"RBLSMTPD", hosts, nil,
			"What every recipient is answered: 451, or 553 behind a -. Where it is empty no lists are asked."},
		{"RCPTCHECK", hosts, nil, "Stands for control/rcptchecks: one program; where it is empty, none."},
		{"MFDNSCHECK", hosts, nil, "Stands for control/mfdnscheck: 0 is off, anything else on."},
		{"GREETDELAY", hosts, nil, "Stands for control/greetdelay."},
		{"SMTPD_GREETDELAY", hosts, nil, "The same, where GREETDELAY is not set."},
		{"TARPITCOUNT", hosts, nil, "Stands for control/tarpitcount."},
		{"TARPITDELAY", hosts, nil, "Stands for control/tarpitdelay."},
		{"NOSPP", hosts, nil, "Where it is set, no plugins of control/smtpplugins are run."},
		{"SPPCONFFILE", hosts, nil, "Names a file that stands for control/smtpplugins."},
		{"SMTPHELOHOST", nil, hosts, "The name in HELO, for plugins; control characters are _ in it."},
		{"SMTPMAILFROM", nil, hosts, "The envelope sender, for plugins."},
		{"SMTPRCPTTO", nil, hosts, "The last recipient, for plugins."},
		{"SMTPRCPTCOUNT", nil, hosts, "How many recipients of the message are accepted, for plugins."},
		{"SMTPRCPTCOUNTALL", nil, hosts, "How many were asked for, for plugins."},
		{"SMTPRCPTHOSTSOK", nil, hosts, "1 where rcpthosts, or the client, allows the recipient, else 0; for plugins."},
		{"SMTPAUTHUSER", nil, hosts, "Who has logged in, for plugins."},
		{"SMTPAUTHMETHOD", nil, hosts, "By which mechanism, for plugins."},
		{"SPFBEHAVIOR", []string{"qmail-verify"}, nil, "Stands for control/spfbehavior."},
		{"LOGREFUSED", append([]string{"qmail-popup", "qmail-tlsfront"}, servers...), tcpEnv,
			"Where it is set, a server writes a line to descriptor 2 for what it refuses a client."},
		{"SMTPS", []string{"qmail-smtpsd", "qmail-submitd", "tcp-env"}, nil,
			"Where it is set, TLS begins with the connection, as on port 465."},
		{"UCSPITLS", covered, front,
			"Where it is set, TLS is offered, by the UCSPI-TLS convention; !: nothing that matters is done without; " +
				"-: it is not."},
		{"SSLCTLFD", covered, front, "The descriptor to which a server writes y or Y for TLS."},
		{"SSLREADFD", covered, front, "The descriptor from which a server then reads what is said in TLS."},
		{"SSLWRITEFD", covered, front, "The descriptor to which it writes then."},
		{"SSL_PROTOCOL", append([]string{"qmail-popup"}, plain...), front, "The version of the TLS that a server is behind."},
		{"SSL_CIPHER", plain, front, "The cipher suite of the TLS that a server is behind."},
		{"FORCETLS", hosts, nil, "Where it is set, and not 0, qmail-smtpsd does nothing for a client without TLS; 0 " +
			"allows logins without."},
		{"SMTPAUTH", hosts, nil, "`-`: there are no logins; with a `!` in front: nobody sends without one."},
		{"REQUIREAUTH", hosts, nil, "Where it is set, nobody sends without a login."},
		{"FORCEAUTHMAILFROM", hosts, nil, "Where it is set, who has logged in sends from its own name only."},
		{"DKIMSIGNATURE", []string{"qmail-remote", "qmail-tlsremote"}, []string{"qmail-rspawn"},
			"Fields that go on top of the message."},
		{"QMAILDSN", []string{"qmail-remote", "qmail-tlsremote"}, []string{"qmail-rspawn"},
			"The delivery status notifications that the sender asks for."},
		{"PROTO", nil, tcpEnv, "TCP, or TCP6 on an IPv6 connection."},
		{"TCPLOCALIP", servers, tcpEnv, "Our address on this connection."},
		{"TCPLOCALPORT", nil, tcpEnv, "Our port on this connection."},
		{"TCPLOCALHOST", servers, tcpEnv, "Our name by TCPLOCALIP, where DNS has one."},
		{"TCPREMOTEIP", append([]string{"qmail-popup", "qmail-tlsfront"}, servers...), tcpEnv, "The client's address."},
		{"TCPREMOTEPORT", nil, tcpEnv, "The client's port."},
		{"TCPREMOTEHOST", servers, tcpEnv, "The client's name, where DNS has one."},
		{"TCPREMOTEINFO", servers, append(logins, tcpEnv...),
			"What the client's IDENT server says of it."},
		{"LISTEN_PID", tcpEnv, nil, "The process that systemd's listening sockets are for."},
		{"LISTEN_FDS", tcpEnv, nil, "How many listening sockets there are, from descriptor 3 on."},

		{"SENDER", []string{"condredirect", "qreceipt", "qbiff", "qsmhook", "qmail-lmtp", "srsfilter"}, local,
			"The envelope sender."},
		{"NEWSENDER", []string{"forward"}, local, "The envelope sender of what is forwarded."},
		{"RECIPIENT", []string{"qsmhook"}, local, "The envelope recipient."},
		{"USER", append([]string{"qbiff", "qmail-lmtp"}, inject...), append([]string{check}, local...),
			"The user whose mail it is."},
		{"HOME", nil, append([]string{check}, local...), "The user's home directory."},
		{"SHELL", nil, []string{check}, "The user's shell."},
		{"LOCAL", []string{"qbiff"}, local, "The recipient up to the at sign."},
		{"HOST", []string{"qsmhook"}, local, "The recipient behind the at sign."},
		{"HOST2", nil, local, "HOST without its last part."},
		{"HOST3", nil, local, "HOST without its last two parts."},
		{"HOST4", nil, local, "HOST without its last three parts."},
		{"EXT", nil, local, "The extension of the address."},
		{"EXT2", nil, local, "EXT behind its first dash."},
		{"EXT3", nil, local, "EXT behind its second dash."},
		{"EXT4", nil, local, "EXT behind its third dash."},
		{"DEFAULT", []string{"srsfilter"}, local, "What the word default in the name of the .qmail file stood for."},
		{"DTLINE", []string{"forward", "condredirect", "preline", "qsmhook", "qmail-lmtp", "srsfilter"}, local,
			"The Delivered-To line."},
		{"RPLINE", []string{"preline", "qsmhook", "qmail-lmtp"}, local, "The Return-Path line."},
		{"UFLINE", []string{"preline", "qsmhook"}, local, "The From line of an mbox."},

		{"MAIL", readers, nil, "The user's mbox."},
		{"MAILDIR", append([]string{"maildirwatch"}, readers...), nil, "The user's Maildir."},
		{"MAILTMP", readers, nil, "A file that becomes the new mbox."},
	}
}
