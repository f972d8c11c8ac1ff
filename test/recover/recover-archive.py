#!/usr/bin/python3
"""Decrypts an archive that `pipe-backup send` has written, with the recovery phrase alone, to standard output.

Written from docs/format.md, section 12. Needs Debian's python3-nacl, and the file bip39-english.txt beside this one.

  recover-archive.py ARCHIVE.pb --phrase-file FILE | tar -x

Each byte that comes out is proven; without exit code 0 they are not all.
"""
import argparse, getpass, hashlib, os, re, sys

from nacl import bindings as sodium
from nacl.exceptions import CryptoError

MESSAGE = (64 << 10) + sodium.crypto_secretstream_xchacha20poly1305_ABYTES

def kdf(key, n, context):
    return hashlib.blake2b(b'', digest_size=32, key=key, salt=n.to_bytes(8, 'little') + bytes(8), person=context + bytes(8)).digest()

def master_of(phrase):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bip39-english.txt')
    words, given = open(path).read().split(), re.sub(r'(?m)^\s*vault:?\s.*$', '', phrase.lower()).split()
    if len(given) != 24 or not set(given) <= set(words):
        sys.exit('these are not 24 words of the list')
    number = 0
    for word in given:
        number = number << 11 | words.index(word)
    master = (number >> 8).to_bytes(32, 'big')
    if hashlib.sha256(master).digest()[0] != number & 0xFF:
        sys.exit('the phrase has a wrong word: its checksum does not fit')
    return master

def exactly(file, length):
    data = file.read(length)
    if len(data) < length:
        sys.exit('the archive ends in its header')
    return data

parser = argparse.ArgumentParser()
parser.add_argument('archive')
parser.add_argument('--phrase-file')
args = parser.parse_args()
phrase = open(args.phrase_file).read() if args.phrase_file else getpass.getpass('recovery phrase: ')
public, secret = sodium.crypto_box_seed_keypair(kdf(master_of(phrase), 1, b'pbvault1'))

file = open(args.archive, 'rb')
header = exactly(file, 9)
if header[:8] != b'PBCRYPT\x01':
    sys.exit('this is no archive of pipe-backup, or one of a newer version')
label = exactly(file, header[8])
count = exactly(file, 2)
boxes = exactly(file, 80 * int.from_bytes(count, 'little'))
start = exactly(file, sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES)
for at in range(0, len(boxes), 80):
    try:
        key = sodium.crypto_box_seal_open(boxes[at:at + 80], public, secret)
        break
    except CryptoError:
        pass
else:
    sys.exit('this archive was encrypted for another phrase')
print(f'this is {label.decode(errors="replace")}', file=sys.stderr)
state = sodium.crypto_secretstream_xchacha20poly1305_state()
sodium.crypto_secretstream_xchacha20poly1305_init_pull(state, start, key)
digest = hashlib.sha256(header + label + count + boxes + start).digest()
tag = None
while tag != sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL:
    try:
        plain, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(state, file.read(MESSAGE), digest)
    except (CryptoError, ValueError):
        sys.exit(f'the archive is damaged or cut short, before byte {file.tell()}')
    digest = None
    sys.stdout.buffer.write(plain)
if file.read(1):
    sys.exit('there are bytes behind the end of the archive')
