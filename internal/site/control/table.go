package control

// A Kind is how the text of a control file is read; those from Database on are not plain text.
type Kind uint8

const (
	Text         Kind = iota // its first line
	TextOrMe                 // its first line, or that of me where it is absent, or where that is as well its own name
	Number                   // the number that its first line begins with
	Entries                  // its lines, comments and empty ones aside
	Database                 // a cdb
	Folder                   // files, one for each of something
	Certificates             // PEM, or a folder of it
	Secrets                  // lines that nobody is shown
)

// A File is one file of the control folder: what qmail-showctl says of it, and what qmail-control(5) does.
type File struct {
	Name    string
	Kind    Kind
	Default string // what stands in the place of an absent file; Entries: what qmail-showctl says then
	Before  string // what qmail-showctl prints before a value
	After   string // and after it
	Readers string // the programs, blanks between them
	About   string // one sentence
	Ours    bool   // no C qmail has it: qmail-showctl is silent where it is absent
}

// Files returns every control file, in the order of qmail-showctl. Nobody changes them.
func Files() []File { return files[:] }

// file returns the entry of a file. Each has one; see the policy tests.
func file(name string) *File {
	for i := range files {
		if files[i].Name == name {
			return &files[i]
		}
	}
	panic("no control file " + name)
}

const (
	seconds = " seconds."
	accepts = "SMTP clients may send messages to recipients at "

	send    = "qmail-send"
	remote  = "qmail-remote qmail-tlsremote"
	secret  = "qmail-tlsremote"
	inject  = "qmail-inject sendmail"
	smtpd   = "qmail-smtpd qmail-smtpsd"
	talks   = smtpd + " qmail-submitd"
	servers = smtpd + " qmail-qmtpd"
)

// files is data that the linker lays out: nothing is made of it at a start.
var files = [...]File{
	{"badmailfrom", Entries, "Any MAIL FROM is allowed.", "", " not accepted in MAIL FROM.", smtpd,
		"Envelope senders, or @host for all of a host, whose mail qmail-smtpd refuses.", false},
	{"bouncefrom", Text, "MAILER-DAEMON", "Bounce user name is ", ".", send,
		"The user name in the From field of a bounce.", false},
	{"bouncehost", TextOrMe, "", "Bounce host name is ", ".", send,
		"The host name in the From field of a bounce.", false},
	{"concurrencylocal", Number, "10", "Local concurrency is ", ".", send,
		"How many local deliveries may run at once.", false},
	{"concurrencyremote", Number, "20", "Remote concurrency is ", ".", send,
		"How many remote deliveries may run at once.", false},
	{"databytes", Number, "0", "SMTP DATA limit is ", " bytes.", servers + " qmail-submitd",
		"The longest message accepted from the network, in bytes; 0 is no limit.", false},
	{"defaultdomain", TextOrMe, "", "Default domain name is ", ".", inject,
		"The domain added to a host name without dots.", false},
	{"defaulthost", TextOrMe, "", "Default host name is ", ".", inject,
		"The host name added to an address without one.", false},
	{"doublebouncehost", TextOrMe, "", "2B recipient host: ", ".", send,
		"The host that double bounces go to.", false},
	{"doublebounceto", Text, "postmaster", "2B recipient user: ", ".", send,
		"The user that double bounces go to.", false},
	{"envnoathost", TextOrMe, "", "Presumed domain name is ", ".", send,
		"The host name added to an envelope recipient without one.", false},
	{"helohost", TextOrMe, "", "SMTP client HELO host name is ", ".", remote,
		"The name that qmail-remote says in EHLO and HELO.", false},
	{"idhost", TextOrMe, "", "Message-ID host name is ", ".", inject + " qmail-submitd",
		"The host name in generated Message-IDs.", false},
	{"localiphost", TextOrMe, "", "Local IP address becomes ", ".", talks,
		"The host name that stands for a literal address of this machine in a recipient.", false},
	{"locals", Entries, "Messages for me are delivered locally.", "Messages for ", " are delivered locally.",
		send + " qmail-submitd",
		"The domain names whose mail is delivered on this machine.", false},
	{"me", Text, "undefined! Uh-oh", "My name is ", ".",
		"qmail-send qmail-inject sendmail qmail-key qmail-lmtp " + talks + " " + remote,
		"The name of this host, and the default of many other control files.", false},
	{"percenthack", Entries, "The percent hack is not allowed.", "The percent hack is allowed for user%host@", ".", send,
		"Domain names where user%host@domain is sent on to user@host.", false},
	{"plusdomain", TextOrMe, "", "Plus domain name is ", ".", inject,
		"The domain added to a host name that ends in a plus sign.", false},
	{"qmqpservers", Entries, "No QMQP servers.", "QMQP server: ", ".", "qmail-qmqpc",
		"The addresses of the servers that qmail-qmqpc gives mail to, in the order in which it asks them.", false},
	{"queuelifetime", Number, "604800", "Message lifetime in the queue is ", seconds, send,
		"How long a message may stay in the queue before its deferrals become failures.", false},
	{"rcpthosts", Entries, "SMTP clients may send messages to any recipient.", accepts, ".", servers,
		"The domain names that mail from the network is accepted for; .domain stands for all below it.", false},
	{"morercpthosts", Entries, "No effect.", accepts, ".", "qmail-newmrh",
		"Further lines of rcpthosts, as many as there may be, that qmail-newmrh turns into morercpthosts.cdb.", false},
	{"morercpthosts.cdb", Database, "No effect.", "", "", servers,
		"What qmail-newmrh made of morercpthosts; it counts where rcpthosts exists.", false},
	{"smtpgreeting", TextOrMe, "", "SMTP greeting: 220 ", ".", talks,
		"The text of the SMTP greeting, a host name first.", false},
	{"smtproutes", Entries, "No artificial SMTP routes.", "SMTP route: ", "", remote,
		"Lines domain:relay or domain:relay:port, perhaps with a login, that take the place of DNS.", false},
	{"timeoutconnect", Number, "60", "SMTP client connection timeout is ", seconds, remote,
		"How many seconds qmail-remote waits for a connection.", false},
	{"timeoutremote", Number, "1200", "SMTP client data timeout is ", seconds, remote,
		"How many seconds qmail-remote waits for each answer of a server.", false},
	{"timeoutsmtpd", Number, "1200", "SMTP server data timeout is ", seconds, talks,
		"How many seconds qmail-smtpd waits for each piece of data from a client.", false},
	{"virtualdomains", Entries, "No virtual domains.", "Virtual domain: ", "", send,
		"Lines user@domain:prepend, domain:prepend or .domain:prepend: recipients there become " +
			"prepend-recipient, a local address.", false},

	{"clientcert.pem", Certificates, "", "", "", "qmail-key qmail-rspawn " + secret,
		"The certificate of this host as a TLS client, with its key, in one file.", true},
	{"servercert.pem", Certificates, "", "", "", "qmail-key",
		"The certificate of TLS servers, with its key, in one file, where tlscerts has none for the name in me.", true},
	{"tlscerts", Certificates, "", "", "", "qmail-key",
		"A folder: the certificate of a TLS server and what leads to its authority, in a file of the server's name.", true},
	{"maxrcpt", Number, "1000", "Recipients of a message from the network: ", ".", servers + " qmail-submitd qmail-qmqpd",
		"How many recipients a message from the network may have; 0 is any number. qmail-qmqpd has no limit of its own.",
		true},
	{"extensions", Entries, "SMTP clients are offered what qmail has always offered.", "SMTP clients are offered ", ".",
		talks + " " + remote, "What else EHLO offers: dsn for DSN, enhanced for ENHANCEDSTATUSCODES, limits for LIMITS, " +
			"smtputf8 for SMTPUTF8.", true},
	{"bounceformat", Text, "qsbmf", "Bounces are written as ", ".", send,
		"How bounces are written: qsbmf, or multipart for the form of RFC 3464 around the same text.", true},
	{"bouncemaxbytes", Number, "0", "Bounces copy at most ", " bytes of a message.", send,
		"How many bytes of the message a bounce copies at most; 0 is all.", true},
	{"concurrencyperhost", Number, "0", "Deliveries to one remote address at once: ", ".", send,
		"How many deliveries may go to one remote address at once; 0: two or a tenth, more while half are free.", true},
	{"concurrencyperuser", Number, "0", "Deliveries to one local user at once: ", ".", send,
		"How many deliveries to one local user may run at once; 0: two or a tenth, more while half are free.", true},
	{"nopipelining", Entries, "SMTP hosts that offer PIPELINING get it.", "No PIPELINING to ", ".", remote,
		"Hosts, by name or address or .suffix, that qmail-remote sends one command at a time, whatever they offer.", true},
	{"remotecombine", Number, "50", "Recipients in one SMTP transaction: ", ".", "qmail-rspawn",
		"How many recipients of a message on one host may share an SMTP transaction; 1 gives each its own.", true},
	{"timeoutlocal", Number, "3600", "Time for one local delivery: ", seconds, "qmail-lspawn",
		"How many seconds a local delivery may take, with the programs that it runs; 0 is no limit.", true},
	{"timeoutdelivery", Number, "1800", "Time for one remote delivery: ", seconds, remote,
		"How many seconds a remote delivery may take, plus one for each 1000 bytes sent and ten for each recipient.", true},
	{"queuewarn", Number, "14400", "Senders who ask for that are told of delays after ", seconds, send,
		"After how many seconds a sender who asks for that is told that a message is late; 0 is never.", true},
	{"stoptime", Number, "0", "Silent hosts are given up after SIGTERM: ", seconds, send,
		"How many seconds after SIGTERM deliveries to silent hosts are given up; 0: at a second SIGTERM.", true},
	{"authcheck", Entries, "No program checks passwords.", "Passwords are checked by ", ".", "qmail-authd",
		"The program, with its arguments, that checks passwords of names that users/auth.cdb does not have.", true},
	{"authsocket", Text, "run/auth", "Sessions ask who may log in at ", ".", "qmail-authd qmail-submitd",
		"The socket where the sessions ask who may log in, below HOME or a whole path: qmail-authd's, or Dovecot's.", true},
	{"oauthcheck", Entries, "No program checks tokens.", "Tokens are checked by ", ".", "qmail-authd",
		"The program, with its arguments, that checks the tokens of OAUTHBEARER and XOAUTH2.", true},
	{"authsenders", Entries, "No routes by sender.", "SMTP route by sender: ", "", remote + " qmail-rspawn",
		"Lines sender:relay:port|user|password that take the place of smtproutes and of DNS.", true},
	{"dmarc", Text, "mark", "Mail that fails DMARC: ", ".", "qmail-verify",
		"What becomes of mail that fails the policy of its author's domain: tell, mark or refuse.", true},
	{"dmarcreports", Text, "", "DMARC reports are sent by ", ".", "qmail-verify qmail-report",
		"The address that reports to domains about their mail come from; without it nothing is noted for them.", true},
	{"tlsreports", Text, "", "Reports about TLS are sent by ", ".", "qmail-tlsremote qmail-report",
		"The address that reports to domains about TLS come from; without it nothing is noted for them.", true},
	{"spfbehavior", Number, "0", "SPF behavior is ", ".", "qmail-verify",
		"What SPF decides: 1 is told in Received-SPF, 2 defers, 3 refuses fail, 4 softfail, 5 neutral, 6 all but pass.",
		true},
	{"trustedforwarders", Entries, "Nobody is known to pass on mail of others.", "Mail is passed on by ", ".",
		"qmail-verify", "Addresses, networks and domains whose mail is neither marked nor refused.", true},
	{"filters", Entries, "No filters.", "Mail from the network goes through ", ".", smtpd + " qmail-verify",
		"The programs in HOME/bin that mail of strangers goes through before qmail-queue, the first line first.", true},
	{"proxyfrom", Entries, "No connection begins with a PROXY header.", "Connections begin with a PROXY header from ", ".",
		"tcp-env", "The addresses and networks of balancers, whose PROXY headers say whose connections they pass on.",
		true},
	{"dnsbllist", Entries, "No list of addresses is asked.", "Clients must not be listed by ", ".", smtpd,
		"Lines zone:codes:weight:text: lists in the DNS that clients must not be on, or count for them.", true},
	{"rhsbllist", Entries, "No list of domains is asked.", "Senders must not be listed by ", ".", smtpd,
		"Lines like those of dnsbllist: lists of domains, for that of the sender and the name in HELO.", true},
	{"dnsblthreshold", Number, "1", "What lists must weigh together to refuse: ", ".", smtpd,
		"The sum of the weights of lists from which on a client is refused.", true},
	{"dnsbltimeout", Number, "5", "Time for a look into the DNS: ", seconds, smtpd,
		"How many seconds a session waits for what the lists, or the DNS, say of its client.", true},
	{"mfdnscheck", Number, "0", "Domains of senders must be in the DNS: ", ".", smtpd,
		"1 refuses senders whose domain has neither a mail exchanger nor an address.", true},
	{"ptrcheck", Number, "0", "Addresses of clients must have names: ", ".", smtpd,
		"1 refuses clients whose address has no name in the DNS, 2 also where it does not lead back.", true},
	{"greylist", Number, "0", "Strangers come again after: ", seconds, smtpd,
		"How many seconds, at most 86400, strangers wait before their first mail to somebody is accepted; 0: none.", true},
	{"badhelo", Entries, "Any HELO name is welcome.", "Not welcome in HELO: ", ".", smtpd,
		"Names that no client may have in HELO and EHLO.", true},
	{"badhelonorelay", Entries, "Any HELO name of strangers is welcome.", "Not welcome in HELO of strangers: ", ".", smtpd,
		"Names that only clients who may relay may have there.", true},
	{"badrcptto", Entries, "Any recipient is welcome.", "Not accepted as recipient: ", ".", smtpd,
		"Recipients that are refused; @host for all at a host.", true},
	{"badrcpttonorelay", Entries, "Any recipient of strangers is welcome.", "Not accepted from strangers: ", ".", smtpd,
		"Recipients that only clients who may relay may name.", true},
	{"badmailfromnorelay", Entries, "Any sender of strangers is welcome.", "Not accepted as sender of strangers: ", ".",
		smtpd, "Senders, or @host for all of a host, that only clients who may relay may have.", true},
	{"badmailfrompatterns", Entries, "No patterns of bad senders.", "Bad sender: ", ".", smtpd,
		"Patterns of senders whose recipients are refused; behind ! of those that are not.", true},
	{"badrcptpatterns", Entries, "No patterns of bad recipients.", "Bad recipient: ", ".", smtpd,
		"Patterns of recipients that are refused; behind ! of those that are not.", true},
	{"recipients", Entries, "Recipients need no mailbox.", "Recipients need a mailbox by ", ".", smtpd,
		"Lines domain:cdb or domain|program, or a cdb alone, that know which recipients have a mailbox.", true},
	{"brtlimit", Number, "0", "Recipients without a mailbox in one session: ", ".", smtpd,
		"How many recipients without a mailbox a session may name before it is ended; 0 is no limit but that of errors.",
		true},
	{"rcptchecks", Entries, "No program is asked about recipients.", "About recipients is asked: ", ".", smtpd,
		"Programs, one on a line with its arguments, that say whether there is a recipient.", true},
	{"smtpplugins", Entries, "No plugins.", "Plugins: ", "", smtpd,
		"Programs made for qmail-spp, in sections named by what they are asked about: [connection] to [data].", true},
	{"greetdelay", Number, "0", "Strangers wait for the greeting: ", seconds, smtpd,
		"How many seconds, at most 60, strangers wait for the greeting; who speaks before it is refused.", true},
	{"tarpitcount", Number, "0", "Recipients before strangers are slowed down: ", ".", smtpd,
		"From how many recipients of a message on strangers are slowed down; 0: never.", true},
	{"tarpitdelay", Number, "5", "Further recipients wait: ", seconds, smtpd,
		"How many seconds, at most 60, each recipient beyond tarpitcount waits for its answer.", true},
	{"milters", Entries, "No content filters.", "Content filter: ", "", "qmail-milter",
		"Milters and rspamd servers, one on a line, that look at a message before it is queued.", true},
	{"clientca.pem", Certificates, "", "", "", "qmail-smtpsd",
		"The authorities whose certificates of clients count.", true},
	{"clientcrl.pem", Certificates, "", "", "", "qmail-smtpsd",
		"Lists of the certificates that those authorities have revoked.", true},
	{"tlsclients", Entries, "No certificate lets a client relay.", "A client may relay whose certificate names ", ".",
		"qmail-smtpsd", "Addresses in certificates of clients that may send to anybody.", true},
	{"submitprivacy", Number, "0", "Privacy of users who log in to send: ", ".", "qmail-submitd",
		"1 leaves the user's name out of Received, 2 the client's address and name as well.", true},
	{Signing, Entries, "No mail is signed.", "Signed mail: ", "", "qmail-dksign qmail-rspawn " + servers,
		"Lines domain:selector,selector|sdid|auid|expire|c:z:l that say whose mail is signed when it leaves, and how.", true},
	{"dkimunsigned", Number, "0", "Mail that cannot be signed leaves unsigned: ", ".", "qmail-rspawn",
		"1 has mail leave without a signature where one cannot be made; else it waits.", true},
	{"tlsroutes", Entries, "No policy for TLS.", "TLS policy: ", "", secret + " qmail-rspawn",
		"Lines name:policy or name:policy:argument that say how connections to other hosts are made secret.", true},
	{"tlshosts", Folder, "No roots of single hosts.", "The certificate is verified by ", ".", secret,
		"Files HOST.pem with the certificates that vouch for that host's, which must have one.", true},
	{"notlshosts", Folder, "No hosts without TLS.", "No TLS to ", ".", secret,
		"Files named like hosts that get no TLS.", true},
	{"srs_domain", Text, "", "Mail that is passed on has its sender in ", ".", "qmail-rspawn srsfilter",
		"The domain of the addresses that stand for senders of mail that is passed on.", true},
	{"srs_secrets", Secrets, "", "", "", "qmail-rspawn srsfilter",
		"Secrets of these addresses, one a line: the first is used, all are known. Not everybody may read it.", true},
	{"srs_maxage", Number, "7", "An address for a sender leads back for ", " days.", "srsfilter",
		"How many days such an address leads back.", true},
	{"srs_hashlength", Number, "4", "Characters of the hash in it: ", ".", "qmail-rspawn srsfilter",
		"How many characters of the hash such an address has, 4 to 27.", true},
	{"srs_hashmin", Number, "4", "Characters of the hash that are asked for: ", ".", "srsfilter",
		"How many characters of the hash must be there, 4 to 27.", true},
	{"srs_separator", Text, "=", "It has behind SRS0: ", "", "qmail-rspawn",
		"What stands behind SRS0 and SRS1 in such an address: =, - or +.", true},
	{"srs_alwaysrewrite", Number, "0", "Senders of our own domains are rewritten: ", ".", "qmail-rspawn",
		"1 has senders of our own domains rewritten, too.", true},
}
