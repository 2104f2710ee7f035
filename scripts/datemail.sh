#!/bin/sh
# datemail: sendmail, with a Date field of local time.
test "$#/$1" != 1/--help || { echo "datemail: usage: datemail [ option of sendmail ... ] recipient ..." >&2; exit 100; }
exec @QMAIL@/bin/predate @QMAIL@/bin/sendmail ${1+"$@"}
