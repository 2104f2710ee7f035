#!/bin/sh
# qail: move new mail from the Maildir into the mbox, then run Mail on it; see maildir2mbox(1).
@QMAIL@/bin/maildir2mbox && exec Mail ${1+"$@"}
