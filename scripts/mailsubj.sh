#!/bin/sh
# mailsubj subject recipient ...: mail standard input under a subject.
test "$#/$1" != 1/--help || { echo "mailsubj: usage: mailsubj subject recipient ..." >&2; exit 100; }
subject=$1
[ $# -eq 0 ] || shift
(
	printf 'Subject: %s\n' "$subject"
	if [ $# -eq 0 ]; then echo 'To:'; else printf 'To: %s\n' "$*"; fi
	echo
	cat
) | @QMAIL@/bin/qmail-inject
