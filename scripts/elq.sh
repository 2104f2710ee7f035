#!/bin/sh
# elq: move new mail from the Maildir into the mbox, then run elm on it; see maildir2mbox(1).
test "$#/$1" != 1/--help || { echo "elq: usage: elq [ argument of elm ... ]" >&2; exit 100; }
@QMAIL@/bin/maildir2mbox && exec elm ${1+"$@"}
