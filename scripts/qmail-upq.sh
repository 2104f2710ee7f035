#!/bin/sh
# qmail-upq: bring the queue of an older qmail into the layout of this one. qmail-send must not run.
test "$#/$1" != 1/--help || { echo "qmail-upq: usage: qmail-upq" >&2; exit 100; }
PATH=@QMAIL@/bin:/bin:/usr/bin
export PATH
exec queue-fix -f
