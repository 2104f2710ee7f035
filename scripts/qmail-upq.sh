#!/bin/sh
# qmail-upq: bring the queue of an older qmail into the layout of this one. qmail-send must not run.
PATH=@QMAIL@/bin:/bin:/usr/bin
export PATH
exec queue-fix -f
