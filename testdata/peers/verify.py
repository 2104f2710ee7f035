# Verifies each signature of the message on standard input by dkimpy, and prints how many are good, of how many. The
# records of the keys are in /run/records, each as NAME=TEXT.
import sys

import dkim

records = dict(line.rstrip(b"\n").split(b"=", 1) for line in open("/run/records", "rb"))


def lookup(name, timeout=5):
    return records.get(name.rstrip(b"."))


message = sys.stdin.buffer.read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
d = dkim.DKIM(message)
count = sum(1 for name, _ in d.headers if name.lower() == b"dkim-signature")
good = 0
for i in range(count):
    try:
        good += bool(dkim.DKIM(message).verify(i, dnsfunc=lookup))
    except dkim.DKIMException as e:
        print(e, file=sys.stderr)
print(good, count)
