#!/bin/sh
# A script in the place of one of ours: it notes its process id and an argument, and becomes the original.
name=${0##*/}
case $name in
qmail-local) echo $$ "$6" ;;
qmail-remote) echo $$ "$3" ;;
*) echo $$ ;;
esac >>/run/seen/$name || exit 111
exec @QMAIL@/bin/$name.orig "$@"
