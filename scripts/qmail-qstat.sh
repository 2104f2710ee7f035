#!/bin/sh
# qmail-qstat: how many messages are in the queue.
test "$#/$1" != 1/--help || { echo "qmail-qstat: usage: qmail-qstat" >&2; exit 100; }
cd @QMAIL@/queue || exit 111
echo "messages in queue: $(find mess/* -type f -print | wc -l | tr -d ' ')"
echo "messages in queue but not yet preprocessed: $(find todo -type f -print | wc -l | tr -d ' ')"
