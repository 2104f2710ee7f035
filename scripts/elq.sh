#!/bin/sh
# elq: move new mail from the Maildir into the mbox, then run elm on it; see maildir2mbox(1).
@QMAIL@/bin/maildir2mbox && exec elm ${1+"$@"}
