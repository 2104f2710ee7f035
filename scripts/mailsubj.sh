#!/bin/sh
# mailsubj subject recipient ...: mail standard input under a subject.
subject=$1
[ $# -eq 0 ] || shift
(
	printf 'Subject: %s\n' "$subject"
	if [ $# -eq 0 ]; then echo 'To:'; else printf 'To: %s\n' "$*"; fi
	echo
	cat
) | @QMAIL@/bin/qmail-inject
