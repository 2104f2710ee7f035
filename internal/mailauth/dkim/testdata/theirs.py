# Signs and verifies by dkimpy. Standard input has a record of a key on a line, NAME=TEXT, for each key, an empty line,
# and messages: a line with "sign" or "verify" and a length, and as many bytes. Each is answered by a line with a length
# and as many bytes: the field that signs it, or what is wrong with the topmost signature, nothing if it is good. The
# argument is the seed of an Ed25519 key, in base64.
import sys

import dkim

inp, out = sys.stdin.buffer, sys.stdout.buffer
records = dict(line.rstrip(b"\n").split(b"=", 1) for line in iter(inp.readline, b"\n"))


def lookup(name, timeout=5):
    return records.get(name.rstrip(b"."))


ways = [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]
for number, line in enumerate(iter(inp.readline, b"")):
    verb, length = line.split()
    message = inp.read(int(length))
    try:
        if verb == b"sign":
            answer = dkim.sign(message, b"e", b"a.test", sys.argv[1].encode(), signature_algorithm=b"ed25519-sha256",
                               canonicalize=ways[number % 4])
        else:
            answer = b"" if dkim.verify(message, dnsfunc=lookup) else b"not good"
    except dkim.DKIMException as e:
        answer = str(e).encode()
    out.write(b"%d\n%s" % (len(answer), answer))
