#!/bin/sh
# pinq: move new mail from the Maildir into the mbox, then run pine on it; see maildir2mbox(1).
test "$#/$1" != 1/--help || { echo "pinq: usage: pinq [ argument of pine ... ]" >&2; exit 100; }
@QMAIL@/bin/maildir2mbox && exec pine ${1+"$@"}
