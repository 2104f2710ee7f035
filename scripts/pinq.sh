#!/bin/sh
# pinq: move new mail from the Maildir into the mbox, then run pine on it; see maildir2mbox(1).
@QMAIL@/bin/maildir2mbox && exec pine ${1+"$@"}
