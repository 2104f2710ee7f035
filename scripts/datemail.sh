#!/bin/sh
# datemail: sendmail, with a Date field of local time.
exec @QMAIL@/bin/predate @QMAIL@/bin/sendmail ${1+"$@"}
