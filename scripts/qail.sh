#!/bin/sh
# qail: move new mail from the Maildir into the mbox, then run Mail on it; see maildir2mbox(1).
test "$#/$1" != 1/--help || { echo "qail: usage: qail [ argument of Mail ... ]" >&2; exit 100; }
@QMAIL@/bin/maildir2mbox && exec Mail ${1+"$@"}
