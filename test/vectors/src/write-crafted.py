#!/usr/bin/python3
"""Writes the vaults of test/vectors that begin with "crafted", and keys.json: from docs/format.md, sharing no line with pipe-backup.

  write-crafted.py DIRECTORY

They hold what a reader must understand and today's writer does not write. Nonces and keys are random: each run writes other bytes.
Needs Debian's python3-nacl and python3-zstandard. See README.md: the vaults are frozen, and this is not run in tests.
"""
import base64, hashlib, hmac, json, os, sys

import zstandard
from nacl import bindings as sodium

TYPES = {'file': 0, 'directory': 1, 'symlink': 2, 'hardlink': 3, 'fifo': 4, 'character-device': 5, 'block-device': 6}

def u8(n): return n.to_bytes(1, 'little')
def u16(n): return n.to_bytes(2, 'little')
def u32(n): return n.to_bytes(4, 'little')
def uvarint(n):
    out = b''
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])
def svarint(n): return uvarint(2 * n if n >= 0 else -2 * n - 1)
def with_length(data): return uvarint(len(data)) + data
def sha256(data): return hashlib.sha256(data).digest()
def kdf(key, n, context):
    return hashlib.blake2b(b'', digest_size=32, key=key, salt=n.to_bytes(8, 'little') + bytes(8), person=context + bytes(8)).digest()
def seal(key, aad, plain):
    nonce = os.urandom(24)
    return nonce + sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, nonce, key)
def detached(message, secret): return sodium.crypto_sign(message, secret)[:64]
def zstd(plain): return zstandard.ZstdCompressor(level=9, write_content_size=True).compress(plain)

def phrase_of(master):
    here = os.path.dirname(os.path.abspath(__file__))
    words = open(os.path.join(here, '../../recover/bip39-english.txt')).read().split()
    bits = int.from_bytes(master, 'big') << 8 | sha256(master)[0]
    return ' '.join(words[bits >> 11 * (23 - i) & 2047] for i in range(24))

class Vault:
    """The keys of a vault, and a directory that its objects are written to."""
    def __init__(self, directory, master):
        self.directory, self.master = directory, master
        self.public, self.secret = sodium.crypto_box_seed_keypair(kdf(master, 1, b'pbvault1'))
        self.id_key, self.index_key = kdf(master, 2, b'pbvault1'), kdf(master, 3, b'pbvault1')
        self.node_id_key = kdf(self.id_key, 1, b'pbnodeid')
        self.id = sha256(b'pipe-backup vault 1\n' + self.public)[:16].hex()
        self.root_key, self.root_secret = sodium.crypto_sign_seed_keypair(kdf(master, 4, b'pbvault1'))
        self.host_id = sha256(b'host of ' + master)[:16]
        # A host that may write, and no more.
        self.signer = self.certified(self.host_id, 1)
        self.packs = {}
    def write(self, key, data):
        path = os.path.join(self.directory, 'sink', key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, 'wb').write(data)
    def write_header(self, **more):
        head = {'format': 'pipe-backup vault', 'version': 1, 'id': self.id, 'publicKey': self.public.hex(), **more}
        self.write('vault.json', json.dumps(head).encode())
    def certified(self, host_id, role, root_secret=None):
        public, secret = sodium.crypto_sign_seed_keypair(os.urandom(32))
        content = host_id + u8(role) + public
        return content + detached(b'pipe-backup host 1\n' + content, root_secret or self.root_secret), secret
    def sign(self, label, content, signer=None):
        certificate, secret = signer or self.signer
        return certificate + detached(label + b'\n' + sha256(content), secret) + content
    def seal_object(self, key, content, signer=None):
        signed = self.sign(b'pipe-backup object 1\n' + key.encode(), zstd(content), signer)
        data = b'PBOBJ\0\0\1' + seal(self.index_key, key.encode(), signed)
        self.write(key, data)
        return data
    def write_revocation(self, host_id, believed, secret=None, key=None):
        key = key or f'grants/revoked-{host_id.hex()}'
        content = b'PBREVOKE\1' + host_id + u32(1795687200) + u32(len(believed)) + b''.join(sorted(believed))
        self.write(key, content + detached(f'pipe-backup revocation 1\n{key}\n'.encode() + sha256(content), secret or self.root_secret))
    def chunk_id(self, kind, plain):
        return hmac.digest(self.node_id_key if kind else self.id_key, plain, 'sha256')
    def write_pack(self, run_keys, chunks, raw_length=None, signer=None):
        """run_keys: [(run key, [public keys])]; chunks: [(kind, run key number, codec, plain)]."""
        header = b'PBPACK\0\1' + u16(len(run_keys))
        for key, recipients in run_keys:
            header += sha256(key)[:16] + u16(len(recipients))
            for recipient in recipients:
                header += sodium.crypto_box_seal(key, recipient)
        body, entries = header, b''
        for kind, run, codec, plain in chunks:
            chunk_id = self.chunk_id(kind, plain)
            payload = zstd(plain) if codec == 1 else plain
            sealed = seal(run_keys[run][0], b'PBCHUNK\1' + u8(kind) + chunk_id, u8(codec) + payload)
            entries += u8(kind) + u16(run) + u32(len(body)) + u32(len(sealed)) + u32(raw_length or len(plain)) + chunk_id
            body += sealed
        content = self.host_id + u32(len(chunks)) + entries
        footer = seal(self.index_key, b'PBFOOTER' + header, self.sign(b'pipe-backup footer 1\n' + sha256(header).hex().encode(), content, signer))
        pack = body + footer + u32(len(footer)) + b'PBEND\0\0\1'
        name = sha256(pack).hex()
        self.write(f'packs/{name[:2]}/{name}', pack)
        self.packs[name] = (len(pack), content)
        return name
    def all_live(self, name):
        count = int.from_bytes(self.packs[name][1][16:20], 'little')
        return base64.b64encode(((1 << count) - 1).to_bytes((count + 7) // 8, 'little')).decode()
    def write_index(self, digits, names, signer=None):
        content = u32(len(names))
        for name in names:
            size, footer = self.packs[name]
            content += bytes.fromhex(name) + u32(size) + u32(len(footer)) + footer
        self.seal_object(f'index/{digits * 32}', content, signer)
    def write_snapshot(self, time, snapshot_id, sources, packs, signer=None, **more):
        stamp = time[:19].replace('-', '').replace(':', '').lower() + 'z'
        head = {
            'version': 1, 'id': snapshot_id, 'time': time, 'host': 'crafted', 'hostId': self.host_id.hex(),
            'program': 'write-crafted.py', 'sources': sources,
            'packs': [[name, self.all_live(name)] for name in packs], **more,
        }
        return self.seal_object(f'snapshots/{stamp}-{snapshot_id}', json.dumps(head).encode(), signer)
    def write_expected(self, about, **rest):
        expected = {'about': about, 'phrase': phrase_of(self.master), **rest}
        path = os.path.join(self.directory, 'expected.json')
        open(path, 'w').write(json.dumps(expected, indent=1) + '\n')

# Directories: root all, user 1000 all, group none, mask all, others to pass and the same for what is made in it. Files: a capability (net_raw).
ACL = '\2\0\0\0' '\1\0\7\0\xff\xff\xff\xff' '\2\0\7\0\xe8\3\0\0' '\4\0\0\0\xff\xff\xff\xff' '\x10\0\7\0\xff\xff\xff\xff' '\x20\0\7\0\xff\xff\xff\xff'
OF_DIRECTORY = {'system.posix_acl_access': ACL, 'system.posix_acl_default': ACL, 'user.long': 'x' * 300}
OF_FILE = {'security.capability': '\1\0\0\2\0\x20' + '\0' * 14, 'user.bytes': '\0\xff\n=%', 'user.\xc3\xa9': 'e'}
METADATA = dict(mode=0o644, uid=0, gid=0, user='', group='', mtimeNs='0')

def entry_bytes(previous, e, number_of, extents=(), tree=None, extra=b''):
    """An entry of a leaf. extents: [(chunk id, offset, length)]; tree: id of an extent node."""
    path = e['path'].encode('latin1')
    shared = len(os.path.commonprefix([previous, path]))
    out = uvarint(shared) + with_length(path[shared:]) + u8(TYPES[e['type']])
    out += u8((1 if e.get('sparse') else 0) | (2 if e.get('unsteady') else 0) | (4 if tree else 0))
    out += uvarint(e['mode']) + uvarint(e['uid']) + uvarint(e['gid'])
    out += with_length(e['user'].encode()) + with_length(e['group'].encode())
    out += svarint(int(e['mtimeNs']) // 10**9) + uvarint(int(e['mtimeNs']) % 10**9)
    if e['type'] == 'file':
        out += uvarint(e['size'])
        out += uvarint(number_of(tree)) if tree else extent_bytes(extents, number_of)
    elif e['type'] in ('symlink', 'hardlink'):
        out += with_length(e['target'].encode('latin1'))
    elif e['type'].endswith('device'):
        out += uvarint(e['major']) + uvarint(e['minor'])
    return out + with_length(extra or attribute_bytes(e.get('attributes', {})))

def attribute_bytes(attributes, later=b''):
    """attributes: {name: value}, both with one character for each byte."""
    pairs = sorted((name.encode('latin1'), value.encode('latin1')) for name, value in attributes.items())
    return uvarint(len(pairs)) + b''.join(with_length(name) + with_length(value) for name, value in pairs) + later if pairs or later else b''

def extent_bytes(extents, number_of):
    out = uvarint(len(extents))
    for chunk_id, offset, length in extents:
        out += uvarint(number_of(chunk_id)) + uvarint(offset) + uvarint(length)
    return out

def numbering():
    ids = []
    def number_of(chunk_id):
        if chunk_id not in ids:
            ids.append(chunk_id)
        return ids.index(chunk_id)
    return ids, number_of

def leaf(entries):
    """entries: [(entry, keyword arguments of entry_bytes)], in order."""
    ids, number_of = numbering()
    body, previous = b'', b''
    for e, how in entries:
        body += entry_bytes(previous, e, number_of, **how)
        previous = e['path'].encode('latin1')
    return u8(1) + uvarint(len(ids)) + b''.join(ids) + uvarint(len(entries)) + body

def branch(children): return u8(2) + uvarint(len(children)) + b''.join(with_length(path) + node for path, node in children)
def extent_leaf(extents):
    ids, number_of = numbering()
    body = extent_bytes(extents, number_of)
    return u8(3) + uvarint(len(ids)) + b''.join(ids) + body
def extent_branch(children): return u8(4) + uvarint(len(children)) + b''.join(uvarint(size) + node for size, node in children)

def file_entry(path, data, **more):
    return {'path': path, 'type': 'file', **METADATA, 'size': len(data), 'sha256': sha256(data).hex(), **more}

def expected_snapshot(time, snapshot_id, **rest):
    return {'id': snapshot_id, 'time': time, 'host': 'crafted', **rest}

def everything(directory):
    """Trees of two levels, extents in pieces, both codecs, several run keys and recipients, and members and bytes of later versions."""
    vault = Vault(directory, sha256(b'pipe-backup crafted vector 1'))
    vault.write_header(later={'ignored': True})
    strangers = sodium.crypto_box_seed_keypair(sha256(b'pipe-backup stranger'))
    runs = [(os.urandom(32), [vault.public]), (os.urandom(32), [vault.public, strangers[0]]), (os.urandom(32), [strangers[0], vault.public])]
    chunks, nodes = [], []
    def data_chunk(plain, run=0, codec=0):
        chunks.append((0, run, codec, plain))
        return vault.chunk_id(0, plain)
    def node(plain, kind=1):
        nodes.append((kind, len(nodes) % 3, len(nodes) % 2, plain))
        return vault.chunk_id(kind, plain)

    # 300 chunks of a few bytes: more extents than an entry of today's writer holds, in a tree of two levels.
    parts = [f'part {i};'.encode() for i in range(300)]
    part_ids = [data_chunk(part, i % 3, i % 2) for i, part in enumerate(parts)]
    whole = b''.join(parts)
    leaves = []
    for i in range(0, 300, 64):
        group = range(i, min(i + 64, 300))
        extents = [(part_ids[j], 0, len(parts[j])) for j in group]
        leaves.append((sum(len(parts[j]) for j in group), node(extent_leaf(extents), 2)))
    inner = node(extent_branch(leaves[:3]), 2)
    tree = node(extent_branch([(sum(size for size, _ in leaves[:3]), inner)] + leaves[3:]), 2)
    alone = node(extent_leaf([(part_ids[7], 0, len(parts[7]))]), 2)

    bundle = b'first file' + b'second file' + b'never used' + b'third'
    bundle_id = data_chunk(bundle, 1, 1)
    zeros = data_chunk(bytes(100_000), 2, 1)
    patched = b'second' + bytes(50_000) + b'first' + b'e'
    groups = [
        [(file_entry('a', b'first file'), dict(extents=[(bundle_id, 0, 10)])),
         (file_entry('b', b'second file', mtimeNs='-1', mode=0o6755), dict(extents=[(bundle_id, 10, 11)], extra=attribute_bytes({}, b'of a later version')))],
        [({'path': 'd', 'type': 'directory', **METADATA, 'mode': 0o1777, 'user': 'ada', 'group': 'wheel', 'attributes': OF_DIRECTORY}, {}),
         (file_entry('d/attributes and more', b'first file', attributes=OF_FILE),
          dict(extents=[(bundle_id, 0, 10)], extra=attribute_bytes(OF_FILE, b'of a later version'))),
         (file_entry('d/empty', b'', attributes={'user.only': ''}), {}),
         (file_entry('d/extents with nothing', b'third'), dict(extents=[(bundle_id, 0, 0), (bundle_id, 31, 5), (bundle_id, 36, 0)])),
         (file_entry('d/in pieces', patched, sparse=True, unsteady=True),
          dict(extents=[(bundle_id, 10, 6), (zeros, 3, 50_000), (bundle_id, 0, 5), (bundle_id, 20, 1)]))],
        [(file_entry('d/tree', whole), dict(tree=tree)),
         (file_entry('d/tree of one', parts[7]), dict(tree=alone)),
         ({'path': 'd/z', 'type': 'hardlink', **METADATA, 'target': 'a'}, {})],
        [({'path': 'd-', 'type': 'symlink', **METADATA, 'mode': 0o777, 'target': '../\xff'}, {})],
    ]
    first_paths = [group[0][0]['path'].encode('latin1') for group in groups]
    ids = [node(leaf(group)) for group in groups]
    lower = node(branch([(first_paths[0], ids[0]), (first_paths[1], ids[1])]))
    root = node(branch([(first_paths[0], lower), (first_paths[2], ids[2]), (first_paths[3], ids[3])]))
    empty = node(leaf([]))

    entries = [e for group in groups for e, _ in group]
    data_pack = vault.write_pack(runs, chunks[:200])
    # Some chunks are in two packs, under another run key.
    second_pack = vault.write_pack(runs[1:], [(kind, run % 2, codec, plain) for kind, run, codec, plain in chunks[190:]])
    node_pack = vault.write_pack(runs, nodes)
    # One pack is in two indexes, one in none.
    vault.write_index('a', [data_pack])
    vault.write_index('b', [node_pack, data_pack])
    time = '2026-11-23T10:00:00.000Z'
    sources = [
        {'name': 'tree', 'state': 'incomplete', 'root': root.hex(), 'entries': len(entries), 'bytes': 1, 'problems': 1, 'later': []},
        {'name': 'nothing', 'state': 'ok', 'root': empty.hex(), 'entries': 0, 'bytes': 0, 'problems': 0},
        {'name': 'broken', 'state': 'failed', 'entries': 0, 'bytes': 0, 'problems': 0, 'error': 'no such table'},
    ]
    vault.write_snapshot(time, '0123456789abcdef', sources, [data_pack, second_pack, node_pack], later={'ignored': 1})
    vault.write('snapshots/not-a-snapshot', b'passed over')
    expected = [expected_snapshot(time, '0123456789abcdef', sources=[
        {'name': 'tree', 'state': 'incomplete', 'entries': entries},
        {'name': 'nothing', 'state': 'ok', 'entries': []},
        {'name': 'broken', 'state': 'failed', 'entries': []},
    ])]
    vault.write_expected(everything.__doc__, snapshots=expected)

def hostile(directory):
    """Everything in it authenticates, and each snapshot is one that no honest host writes: it must be refused, and nothing written outside."""
    vault = Vault(directory, sha256(b'pipe-backup crafted vector 2'))
    vault.write_header()
    run = [(os.urandom(32), [vault.public])]
    data = b'sixteen bytes...'
    data_id = vault.chunk_id(0, data)
    good = dict(extents=[(data_id, 0, 16)])
    deep = vault.chunk_id(1, leaf([]))
    deep_nodes = [leaf([])]
    for _ in range(100):
        deep_nodes.append(branch([(b'a', deep)]))
        deep = vault.chunk_id(1, deep_nodes[-1])
    dag_nodes = [leaf([(file_entry('a', data), good)])]
    for _ in range(20):
        dag_nodes.append(branch([(b'a' if i == 0 else b'a%04d' % i, vault.chunk_id(1, dag_nodes[-1])) for i in range(1000)]))
    def with_extra(extra): return leaf([(file_entry('a', data), dict(good, extra=extra))])
    flaws = {
        'a path that leaves the target': leaf([(file_entry('../outside', data), good)]),
        'an absolute path': leaf([(file_entry('/outside', data), good)]),
        'a path with a NUL': leaf([(file_entry('a\0b', data), good)]),
        'an extent past the end of its chunk': leaf([(file_entry('a', data), dict(extents=[(data_id, 1, 16)]))]),
        'an extent of 2^50 bytes': leaf([(file_entry('a', data), dict(extents=[(data_id, 2**50, 16)]))]),
        'a size that the extents do not have': leaf([(file_entry('a', data + b'x'), good)]),
        'a count that can not fit': u8(1) + uvarint(0) + uvarint(2**53 - 1),
        'a number that is too large': u8(1) + b'\xff' * 9,
        'a node of unknown type': u8(9),
        'an entry of unknown type': leaf([(file_entry('a', data), good)]).replace(b'\1a\0\0', b'\1a\7\0'),
        'a chunk number that is not listed': u8(1) + uvarint(0) + leaf([(file_entry('a', data), good)])[34:],
        'more attributes than there is room for': with_extra(uvarint(2**53 - 1)),
        'an attribute that is longer than what is there': with_extra(uvarint(1) + with_length(b'user.a') + uvarint(9) + b'x'),
        'an attribute without a name': with_extra(uvarint(1) + with_length(b'') + with_length(b'x')),
        'an attribute whose name has a NUL': with_extra(uvarint(1) + with_length(b'user.a\0b') + with_length(b'x')),
        'an attribute whose name is too long': with_extra(uvarint(1) + with_length(b'user.' + b'a' * 251) + with_length(b'x')),
        'an attribute of more than 64 KiB': with_extra(uvarint(1) + with_length(b'user.a') + with_length(bytes(65537))),
        'an attribute that comes twice': with_extra(uvarint(2) + 2 * (with_length(b'user.a') + with_length(b''))),
        'attributes of 576 KiB': with_extra(uvarint(9) + b''.join(with_length(b'user.%d' % i) + with_length(bytes(65536)) for i in range(9))),
        'bytes behind the last entry': leaf([(file_entry('a', data), good)]) + b'\0',
        'a billion nanoseconds': leaf([(file_entry('a', data), good)]).replace(b'\0\0\0\0\x10', b'\0\0\0' + uvarint(10**9) + b'\x10'),
        'a tree of a hundred levels': deep_nodes[-1],
        'paths out of order': leaf([(file_entry('b', data), good), (file_entry('a', data), good)]),
        'a path that comes twice': leaf([(file_entry('a', data), good), (file_entry('a', data), good)]),
        'a few levels that stand for 10^60 entries': dag_nodes[-1],
    }
    expected = []
    for i, (flaw, root) in enumerate(flaws.items()):
        nodes = [(1, 0, 1, node) for node in (dag_nodes if 'few levels' in flaw else deep_nodes if 'levels' in flaw else [root])]
        pack = vault.write_pack(run, [(0, 0, 0, data)] + nodes)
        snapshot_id, time = f'{i:016x}', f'2026-11-23T10:00:{i:02}.000Z'
        source = {'name': 'tree', 'state': 'ok', 'root': vault.chunk_id(1, root).hex(), 'entries': 1, 'bytes': 16, 'problems': 0}
        vault.write_snapshot(time, snapshot_id, [source], [pack])
        expected.append(expected_snapshot(time, snapshot_id, flaw=flaw))
    # A footer that promises 16 MiB for a chunk of 16 bytes, and a chunk that inflates to more than it says.
    root = leaf([(file_entry('a', data), good)])
    for flaw, pack in {
        'a raw length that is not so': vault.write_pack(run, [(0, 0, 0, data), (1, 0, 0, root)], raw_length=16 << 20),
        'a chunk that inflates past its raw length': vault.write_pack(run, [(0, 0, 1, bytes(1 << 20)), (1, 0, 0, root)], raw_length=16),
    }.items():
        snapshot_id, time = f'{len(expected):016x}', f'2026-11-23T10:00:{len(expected):02}.000Z'
        source = {'name': 'tree', 'state': 'ok', 'root': vault.chunk_id(1, root).hex(), 'entries': 1, 'bytes': 16, 'problems': 0}
        vault.write_snapshot(time, snapshot_id, [source], [pack])
        expected.append(expected_snapshot(time, snapshot_id, flaw=flaw))
    vault.write_expected(hostile.__doc__, snapshots=expected)

def newer(directory):
    """A snapshot, an index and a pack of versions to come beside what can be read: told of, and passed over."""
    vault = Vault(directory, sha256(b'pipe-backup crafted vector 3'))
    vault.write_header()
    run = [(os.urandom(32), [vault.public])]
    data = b'of today'
    entry = file_entry('file', data)
    root = leaf([(entry, dict(extents=[(vault.chunk_id(0, data), 0, len(data))]))])
    pack = vault.write_pack(run, [(0, 0, 0, data), (1, 0, 0, root)])
    source = {'name': 'tree', 'state': 'ok', 'root': vault.chunk_id(1, root).hex(), 'entries': 1, 'bytes': 8, 'problems': 0}
    time = '2026-11-23T10:00:00.000Z'
    vault.write_snapshot(time, '0123456789abcdef', [source], [pack])
    vault.write('index/' + 'a' * 32, b'PBOBJ\0\0\2' + os.urandom(60))
    vault.write('snapshots/20261124t100000z-00000000000000aa', b'PBOBJ\0\0\2' + os.urandom(60))
    vault.seal_object('snapshots/20261125t100000z-00000000000000bb', b'{"version":2,"id":"00000000000000bb"}')
    later = b'PBPACK\0\2' + os.urandom(200)
    vault.write(f'packs/{sha256(later).hex()[:2]}/{sha256(later).hex()}', later)
    vault.write_expected(newer.__doc__, snapshots=[expected_snapshot(time, '0123456789abcdef', sources=[
        {'name': 'tree', 'state': 'ok', 'entries': [entry]}])])

def forged(directory):
    """What a thief with the index key, or with one host's key, could add: each is named and passed over, and takes nothing from the genuine ones."""
    vault = Vault(directory, sha256(b'pipe-backup crafted vector 5'))
    vault.write_header()
    run = [(os.urandom(32), [vault.public])]
    data = b'genuine'
    entry = file_entry('file', data)
    root = leaf([(entry, dict(extents=[(vault.chunk_id(0, data), 0, len(data))]))])
    chunks = [(0, 0, 0, data), (1, 0, 0, root)]
    pack = vault.write_pack(run, chunks)
    source = {'name': 'tree', 'state': 'ok', 'root': vault.chunk_id(1, root).hex(), 'entries': 1, 'bytes': 8, 'problems': 0}
    time = '2026-11-23T10:00:00.000Z'
    vault.write_snapshot(time, '0123456789abcdef', [source], [pack])
    maintainer, other_host = vault.certified(b'maintainer of it', 2), vault.certified(b'another host ...', 1)
    # A compaction's: in the name of the host that made it, signed by one that maintains the vault.
    compacted = vault.write_pack(run, chunks, signer=maintainer)
    vault.write_snapshot('2026-11-23T11:00:00.000Z', '0123456789abcde0', [source], [compacted], signer=maintainer)
    nobody = vault.certified(vault.host_id, 2, sodium.crypto_sign_seed_keypair(bytes(32))[1])
    broken = vault.signer[0][:16] + b'\2' + vault.signer[0][17:], vault.signer[1]
    signers = {'a': nobody, 'b': other_host, 'c': broken}
    for i, (digit, signer) in enumerate(signers.items()):
        vault.write_snapshot(f'2026-11-24T10:00:0{i}.000Z', f'00000000000000a{i}', [source], [pack], signer=signer)
        name = vault.write_pack(run, chunks, signer=signer)
        vault.write_snapshot(f'2026-11-24T11:00:0{i}.000Z', f'00000000000000b{i}', [source], [name])
        # The pack is in an index that lies about it.
        vault.packs[name] = vault.packs[name][0], vault.host_id + u32(0)
        vault.write_index(digit, [pack, name], signer=signer)
    for i, signer in enumerate([*signers.values(), vault.signer]):
        trash = {'version': 1, 'time': time, 'packs': [pack], 'snapshots': ['0123456789abcdef'], 'sessions': []}
        vault.seal_object(f'trash/20261124t100000z-000000000000000{i}', json.dumps(trash).encode(), signer)
    # Unsigned, as whoever has the index key alone would write it.
    vault.write('snapshots/20261124t120000z-00000000000000cc', b'PBOBJ\0\0\1' + seal(vault.index_key, b'snapshots/20261124t120000z-00000000000000cc', zstd(b'{}')))
    good = {'sources': [{'name': 'tree', 'state': 'ok', 'entries': [entry]}]}
    flaws = ('a pack that nobody certified', 'a pack of another host', 'a pack whose certificate was changed')
    flawed = [expected_snapshot(f'2026-11-24T11:00:0{i}.000Z', f'00000000000000b{i}', flaw=flaw) for i, flaw in enumerate(flaws)]
    vault.write_expected(forged.__doc__, snapshots=[
        expected_snapshot(time, '0123456789abcdef', **good), expected_snapshot('2026-11-23T11:00:00.000Z', '0123456789abcde0', **good), *flawed])

def revoked(directory):
    """A host that maintained the vault was revoked: what it had written before counts, and nothing that it has added since."""
    vault = Vault(directory, sha256(b'pipe-backup crafted vector 6'))
    vault.write_header()
    run = [(os.urandom(32), [vault.public])]
    data = b'genuine'
    entry = file_entry('file', data)
    root = leaf([(entry, dict(extents=[(vault.chunk_id(0, data), 0, len(data))]))])
    chunks = [(0, 0, 0, data), (1, 0, 0, root)]
    source = {'name': 'tree', 'state': 'ok', 'root': vault.chunk_id(1, root).hex(), 'entries': 1, 'bytes': 8, 'problems': 0}
    stolen_id = b'id of the stolen'
    stolen = vault.certified(stolen_id, 2)
    own = vault.write_pack(run, chunks)
    before, after = (vault.write_pack([(os.urandom(32), [vault.public])], chunks, signer=stolen) for _ in range(2))
    good = {'sources': [{'name': 'tree', 'state': 'ok', 'entries': [entry]}]}
    believed = sha256(vault.write_snapshot('2026-11-23T10:00:00.000Z', '0123456789abcde0', [source], [own], signer=stolen))
    vault.write_snapshot('2026-11-23T11:00:00.000Z', '0123456789abcde1', [source], [before])
    vault.write_snapshot('2026-11-23T12:00:00.000Z', '0123456789abcde2', [source], [after])
    vault.write_snapshot('2026-11-23T13:00:00.000Z', '0123456789abcde3', [source], [own], signer=stolen)
    vault.write_revocation(stolen_id, [believed, bytes.fromhex(before)])
    # Signed by a host, and under another host's key: they revoke nobody.
    vault.write_revocation(vault.host_id, [], secret=vault.signer[1])
    vault.write_revocation(stolen_id, [], key=f'grants/revoked-{"ab" * 16}')
    vault.write_expected(revoked.__doc__, snapshots=[
        expected_snapshot('2026-11-23T10:00:00.000Z', '0123456789abcde0', **good), expected_snapshot('2026-11-23T11:00:00.000Z', '0123456789abcde1', **good),
        expected_snapshot('2026-11-23T12:00:00.000Z', '0123456789abcde2', flaw='a pack that a revoked host wrote since')])

def newer_vault(directory):
    """The whole vault is of a version to come: refused before anything else is looked at."""
    vault = Vault(directory, sha256(b'pipe-backup crafted vector 4'))
    vault.write_header(version=2, id=sha256(b'pipe-backup vault 2\n' + vault.public)[:16].hex())
    vault.write_expected(newer_vault.__doc__, refused='version 2', snapshots=[])

def keys(path):
    vectors = []
    for about, master in [('zeros', bytes(32)), ('ones', b'\xff' * 32), ('counting', bytes(range(32)))]:
        vault = Vault('', master)
        gear_key = kdf(vault.id_key, 2, b'pbgear01')
        gear = b''.join(hmac.digest(gear_key, bytes([block]), 'sha256') for block in range(32))
        plains = ['', 'hello', 'a' * 1000]
        vectors.append({
            'about': about, 'phrase': phrase_of(master), 'master': master.hex(), 'vaultId': vault.id,
            'publicKey': vault.public.hex(), 'secretKey': vault.secret.hex(), 'rootKey': vault.root_key.hex(), 'idKey': vault.id_key.hex(), 'indexKey': vault.index_key.hex(),
            'nodeIdKey': vault.node_id_key.hex(), 'gearKey': gear_key.hex(), 'pathKey': kdf(vault.id_key, 3, b'pbpathid').hex(),
            'gearTableSha256': sha256(gear).hex(),
            'chunkIds': [{'plain': plain, 'data': vault.chunk_id(0, plain.encode()).hex(), 'node': vault.chunk_id(1, plain.encode()).hex()}
                         for plain in plains],
        })
    open(path, 'w').write(json.dumps(vectors, indent=1) + '\n')

if __name__ == '__main__':
    to = sys.argv[1]
    for make in (everything, hostile, newer, forged, revoked, newer_vault):
        make(os.path.join(to, 'crafted-' + make.__name__.replace('_', '-')))
    keys(os.path.join(to, 'keys.json'))
