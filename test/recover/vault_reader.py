"""Reads a pipe-backup vault from one local sink: its keys, packs, snapshots and manifests.

Written from docs/format.md: it shares no line with the program that writes it. recover.py beside this writes what is read.
Needs Debian's python3-nacl and python3-zstandard, and the file bip39-english.txt beside this one.
"""
import collections, hashlib, hmac, json, os, re, sys

import zstandard
from nacl import bindings as sodium
from nacl.exceptions import BadSignatureError

TYPES = ('file', 'directory', 'symlink', 'hardlink', 'fifo', 'chardev', 'blockdev')
MAX_CHUNK = 16 << 20
MOST_LEVELS = 64
MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES = 4096, 512 << 10
MAX_PATHS_BYTES = 64 << 20

class Damaged(Exception):
    pass

def need(condition, what):
    if not condition:
        raise Damaged(what)

# --- section 1: encodings

class Reader:
    def __init__(self, data, what):
        self.data, self.what, self.at = data, what, 0
    def raw(self, n):
        need(n <= len(self.data) - self.at, f'{self.what} ends too early')
        self.at += n
        return self.data[self.at - n:self.at]
    def u8(self): return self.raw(1)[0]
    def u16(self): return int.from_bytes(self.raw(2), 'little')
    def u32(self): return int.from_bytes(self.raw(4), 'little')
    def uvarint(self):
        value = 0
        for i in range(9):
            byte = self.u8()
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                need(value < 1 << 53, f'{self.what}: a number is too large')
                return value
        raise Damaged(f'{self.what}: a number is too long')
    def svarint(self):
        value = self.uvarint()
        return value >> 1 if value % 2 == 0 else -((value + 1) >> 1)
    def bytes(self): return self.raw(self.uvarint())
    def count(self, n, least):
        need(n * least <= len(self.data) - self.at, f'{self.what}: a count does not fit')
        return n

def kdf(key, n, context):
    return hashlib.blake2b(b'', digest_size=32, key=key, salt=n.to_bytes(8, 'little') + bytes(8), person=context + bytes(8)).digest()

def unseal(key, aad, sealed, what):
    need(len(sealed) >= 40, f'{what} is cut short')
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[24:], aad, sealed[:24], key)
    except Exception:
        raise Damaged(f'{what} does not open: damaged, or not what its name says')

def inflate(data, limit, what):
    try:
        # Memory is taken for what the frame's header says, so that is looked at first.
        need(0 <= zstandard.frame_content_size(data) <= limit, f'{what} is not as long as it says')
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=limit)
    except zstandard.ZstdError:
        raise Damaged(f'{what} does not decompress')

def parse_json(data, what):
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    need(isinstance(value, dict), f'{what} is not a JSON object')
    return value

# --- section 2: keys

def master_of(phrase):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bip39-english.txt')
    text = open(path, 'rb').read()
    need(hashlib.sha256(text).hexdigest() == '2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda', f'{path} is not the BIP39 list')
    numbers = {word: i for i, word in enumerate(text.decode().split())}
    words = re.sub(r'(?m)^\s*vault:?\s.*$', '', phrase.lower()).split()
    need(len(words) == 24, f'a recovery phrase has 24 words, this has {len(words)}')
    for i, word in enumerate(words):
        need(word in numbers, f'word {i + 1} of the phrase is not a word of the list')
    bits = 0
    for word in words:
        bits = bits << 11 | numbers[word]
    master = (bits >> 8).to_bytes(32, 'big')
    need(hashlib.sha256(master).digest()[0] == bits & 0xFF, 'the phrase does not add up: a word is another than it was')
    return master

def pair_of(master):
    return sodium.crypto_box_seed_keypair(kdf(master, 1, b'pbvault1'))

class Vault:
    def __init__(self, sink, phrase):
        self.sink = sink
        head = parse_json(self.read('vault.json'), 'vault.json')
        need(head.get('format') == 'pipe-backup vault', 'vault.json is not that of a vault')
        version, public = head.get('version'), str(head.get('publicKey'))
        need(isinstance(version, int) and re.fullmatch('[0-9a-f]{64}', public), 'vault.json has no version or no public key')
        need(head.get('id') == hashlib.sha256(b'pipe-backup vault %d\n' % version + bytes.fromhex(public)).hexdigest()[:32], 'the id in vault.json is wrong')
        need(version == 1, f'the vault has version {version}, this reads version 1')
        master = master_of(phrase)
        self.public, self.secret = pair_of(master)
        if public != self.public.hex():
            master = self.granted()
            self.public, self.secret = pair_of(master)
        need(public == self.public.hex(), 'this is the phrase of another vault')
        self.id_key, self.index_key = kdf(master, 2, b'pbvault1'), kdf(master, 3, b'pbvault1')
        self.root_key = sodium.crypto_sign_seed_keypair(kdf(master, 4, b'pbvault1'))[0]
        self.node_id_key = kdf(self.id_key, 1, b'pbnodeid')
        self.run_keys, self.headers, self.chunks = {}, {}, {}
        self.revoked = dict(self.revocations())
        self.cache = collections.OrderedDict()
    # section 4
    def granted(self):
        key = 'grants/' + hashlib.sha256(b'pipe-backup recipient 1\n' + self.public).hexdigest()[:32]
        need(os.path.exists(os.path.join(self.sink, key)), 'this is the phrase of another vault')
        data = self.read(key)
        need(len(data) == 152 and data[:8] == b'PBGRANT\1', f'{key} is not a grant')
        return sodium.crypto_box_seal_open(data[8:88], self.public, self.secret)
    def revocations(self):
        """The id of each revoked host, and the digests of what is believed of it all the same."""
        for key in self.keys('grants'):
            match = re.fullmatch(r'grants/revoked-([0-9a-f]{32})', key)
            if not match:
                continue
            try:
                data = self.read(key)
                content, reader = data[:-64], Reader(data[:-64], key)
                message = f'pipe-backup revocation 1\n{key}\n'.encode() + hashlib.sha256(content).digest()
                sodium.crypto_sign_open(data[-64:] + message, self.root_key)
                need(reader.raw(9) == b'PBREVOKE\1', f'{key} is no revocation')
                need(reader.raw(16).hex() == match[1], f'{key} is of another host')
                reader.u32()
                yield bytes.fromhex(match[1]), {reader.raw(32) for _ in range(reader.count(reader.u32(), 32))}
            except (Damaged, OSError, ValueError, BadSignatureError) as error:
                print(f'recover: {key}: {error}', file=sys.stderr)
    def read(self, key):
        with open(os.path.join(self.sink, key), 'rb') as f:
            return f.read()
    def keys(self, prefix):
        for directory, _, names in os.walk(os.path.join(self.sink, prefix)):
            yield from (os.path.relpath(os.path.join(directory, name), self.sink) for name in names)
    # section 3
    def signed(self, label, data, what):
        """The content, the id of the host that has signed it, and whether that host maintains the vault."""
        certificate, signature, content = data[:113], data[113:177], data[177:]
        message = label + b'\n' + hashlib.sha256(content).digest()
        try:
            need(len(signature) == 64 and certificate[16] in (1, 2), f'{what} is not signed')
            sodium.crypto_sign_open(certificate[49:] + b'pipe-backup host 1\n' + certificate[:49], self.root_key)
            sodium.crypto_sign_open(signature + message, certificate[17:49])
        except BadSignatureError:
            raise Damaged(f'{what} is forged: no host that the phrase has certified wrote it')
        return content, certificate[:16], certificate[16] == 2
    def sealed_object(self, key):
        data = self.read(key)
        need(data[:7] == b'PBOBJ\0\0', f'{key} is not a sealed object')
        need(data[7:8] == b'\1', f'{key} has a version that this does not know')
        content, host, maintains = self.signed(b'pipe-backup object 1\n' + key.encode(), unseal(self.index_key, key.encode(), data[8:], key), key)
        need(hashlib.sha256(data).digest() in self.revoked.get(host, [hashlib.sha256(data).digest()]), f'{key} is of a host that was revoked')
        return inflate(content, 1 << 30, key), host, maintains
    # section 5
    def footer(self, name, data):
        need(data[:7] == b'PBPACK\0' and len(data) > 32, f'{name} is not a pack')
        need(data[7] == 1, f'{name} has a version that this does not know')
        header = Reader(data, name)
        header.raw(8)
        keys = []
        for _ in range(header.u16()):
            key_id = header.raw(16)
            keys.append((key_id, [header.raw(80) for _ in range(header.u16())]))
        need(data[-8:] == b'PBEND\0\0\1', f'{name} has no end')
        length = int.from_bytes(data[-12:-8], 'little')
        need(length + 12 + header.at <= len(data), f'{name}: its footer is too long')
        what, start = f'the footer of {name}', data[:header.at]
        sealed = unseal(self.index_key, b'PBFOOTER' + start, data[-12 - length:-12], what)
        content, host, maintains = self.signed(b'pipe-backup footer 1\n' + hashlib.sha256(start).hexdigest().encode(), sealed, what)
        need(maintains or content[:16] == host, f'{what} is forged: another host than it says wrote it')
        need(content[:16] == host or bytes.fromhex(name) in self.revoked.get(host, [bytes.fromhex(name)]), f'{what} is of a host that was revoked')
        self.headers[name] = keys
        footer = Reader(content, f'the footer of {name}')
        footer.raw(16)
        entries = []
        for _ in range(footer.count(footer.u32(), 47)):
            kind, run, offset, sealed, raw = footer.u8(), footer.u16(), footer.u32(), footer.u32(), footer.u32()
            entries.append((kind, run, offset, sealed, raw, footer.raw(32)))
        return entries
    def run_key(self, name, number):
        need(number < len(self.headers[name]), f'{name}: a chunk names a run key that is not there')
        key_id, boxes = self.headers[name][number]
        if key_id not in self.run_keys:
            for box in boxes:
                try:
                    key = sodium.crypto_box_seal_open(box, self.public, self.secret)
                except Exception:
                    continue  # for another recipient
                if hashlib.sha256(key).digest()[:16] == key_id:
                    self.run_keys[key_id] = key
                    break
            need(key_id in self.run_keys, f'{name}: no run key opens with this phrase')
        return self.run_keys[key_id]
    def open_chunk(self, name, entry, sealed):
        kind, run, _, _, raw, chunk_id = entry
        what = f'a chunk of packs/{name[:2]}/{name}'
        need(raw <= MAX_CHUNK and kind <= 2, f'{what} is not possible')
        plain = unseal(self.run_key(name, run), b'PBCHUNK\x01' + bytes([kind]) + chunk_id, sealed, what)
        need(plain[:1] in (b'\0', b'\1'), f'{what} has an unknown codec')
        plain = inflate(plain[1:], raw, what) if plain[0] else plain[1:]
        need(len(plain) == raw, f'{what} has the wrong length')
        need(hmac.digest(self.node_id_key if kind else self.id_key, plain, 'sha256') == chunk_id, f'{what} is not what its id says')
        return plain
    def learn(self, names):
        """Where the chunks of these packs are. What is damaged is reported, and left out."""
        bad = 0
        for name in names:
            try:
                data = self.read(f'packs/{name[:2]}/{name}')
                for entry in self.footer(name, data):
                    self.chunks.setdefault(entry[5], []).append((name, entry))
                # What is whole in it is used all the same: each chunk is checked when it is opened.
                need(hashlib.sha256(data).hexdigest() == name, f'{name} is damaged: its bytes are not those that its name says')
            except (Damaged, OSError) as error:
                bad += 1
                print(f'recover: {error}', file=sys.stderr)
        return bad
    def chunk(self, chunk_id):
        if chunk_id in self.cache:
            self.cache.move_to_end(chunk_id)
            return self.cache[chunk_id]
        problem = Damaged(f'chunk {chunk_id.hex()[:16]} is in no pack that can be read')
        for name, entry in self.chunks.get(chunk_id, ()):
            try:
                with open(os.path.join(self.sink, 'packs', name[:2], name), 'rb') as f:
                    f.seek(entry[2])
                    plain = self.open_chunk(name, entry, f.read(entry[3]))
            except (Damaged, OSError) as error:
                problem = Damaged(str(error))
                continue
            self.cache[chunk_id] = plain
            while len(self.cache) > 24:
                self.cache.popitem(last=False)
            return plain
        raise problem
    # section 7
    def snapshots(self):
        found = []
        for key in sorted(self.keys('snapshots')):
            match = re.fullmatch(r'snapshots/\d{8}t\d{6}z-([0-9a-f]{16})', key)
            if not match:
                continue
            try:
                content, host, maintains = self.sealed_object(key)
                head = parse_json(content, key)
                need(head.get('version') == 1, f"{key} has version {head.get('version')}, this reads version 1")
                need(head.get('id') == match[1], f'{key} is not the snapshot that it says')
                need(maintains or head.get('hostId') == host.hex(), f'{key} is forged: another host than it says wrote it')
                found.append(head)
            except (Damaged, OSError) as error:
                print(f'recover: {error}', file=sys.stderr)
        return sorted(found, key=lambda head: head['time'])
    # section 8
    @staticmethod
    def in_order(paths, first, after):
        """No node can be in two places, so that a few can't stand for more entries than there are. `/` is below every other byte."""
        need(first is None or paths[:1] == [first], 'a manifest has a node whose paths are not where it is')
        orders = [path.replace(b'/', b'\0') for path in paths + ([] if after is None else [after])]
        need(all(a < b for a, b in zip(orders, orders[1:])), 'a manifest has paths out of order')
    def entries(self, node_id, levels=MOST_LEVELS, first=None, after=None):
        need(levels > 0, 'a manifest has more levels than any can have')
        node = Reader(self.chunk(node_id), 'a manifest')
        kind = node.u8()
        if kind == 2:
            children = [(node.bytes(), node.raw(32)) for _ in range(node.count(node.uvarint(), 33))]
            need(node.at == len(node.data), 'a manifest has bytes behind its end')
            paths = [path for path, _ in children]
            self.in_order(paths, first, after)
            for (path, child), following in zip(children, paths[1:] + [after]):
                yield from self.entries(child, levels - 1, path, following)
            return
        need(kind == 1, f'a manifest node of unknown type {kind}')
        ids = [node.raw(32) for _ in range(node.count(node.uvarint(), 32))]
        path, found, path_bytes = b'', [], 0
        for _ in range(node.count(node.uvarint(), 12)):
            shared = node.uvarint()
            need(shared <= len(path), 'a manifest path begins with what is not there')
            path = path[:shared] + node.bytes()
            path_bytes += len(path)
            need(path_bytes <= MAX_PATHS_BYTES, 'the paths of a manifest leaf are longer than any can be')
            need(b'\0' not in path and not any(part in (b'', b'.', b'..') for part in path.split(b'/')), f'the manifest has the path {path!r}')
            number, flags = node.u8(), node.u8()
            need(number < len(TYPES), f'{path!r} is of an unknown type')
            e = dict(path=path, type=TYPES[number], sparse=flags & 1, mode=node.uvarint(), uid=node.uvarint(), gid=node.uvarint())
            node.bytes(), node.bytes()  # user and group names
            seconds, nanoseconds = node.svarint(), node.uvarint()
            need(nanoseconds < 10**9, f'{path!r} has more nanoseconds than a second has')
            e['mtime'] = seconds * 10**9 + nanoseconds
            if e['type'] == 'file':
                e['size'] = node.uvarint()
                e['tree'] = self.pick(ids, node.uvarint()) if flags & 4 else None
                e['extents'] = None if flags & 4 else self.extents(node, ids)
            elif e['type'] in ('symlink', 'hardlink'):
                e['target'] = node.bytes()
            elif e['type'] in ('chardev', 'blockdev'):
                e['device'] = os.makedev(node.uvarint(), node.uvarint())
            e['attributes'] = self.attributes(node.bytes(), path)
            found.append(e)
        need(node.at == len(node.data), 'a manifest has bytes behind its end')
        self.in_order([e['path'] for e in found], first, after)
        yield from found
    @staticmethod
    def attributes(data, path):
        if not data:
            return []
        extra, found = Reader(data, f'what {path!r} has besides'), []
        for _ in range(extra.count(extra.uvarint(), 2)):
            name, value = extra.bytes(), extra.bytes()
            need(0 < len(name) <= 255 and b'\0' not in name, f'{path!r} has an extended attribute whose name can not be')
            need(len(value) <= 1 << 16, f'{path!r} has an extended attribute of more than 64 KiB')
            need(not found or found[-1][0] < name, f'{path!r} has extended attributes that are not in order, each once')
            found.append((name, value))
        need(len(found) <= MAX_ATTRIBUTES, f'{path!r} has more than {MAX_ATTRIBUTES} extended attributes')
        need(sum(len(name) + len(value) for name, value in found) <= MAX_ATTRIBUTES_BYTES, f'{path!r} has extended attributes of more than 512 KiB')
        return found
    @staticmethod
    def pick(ids, number):
        need(number < len(ids), 'a manifest names a chunk that it does not list')
        return ids[number]
    def extents(self, node, ids):
        found = []
        for _ in range(node.count(node.uvarint(), 3)):
            found.append((self.pick(ids, node.uvarint()), node.uvarint(), node.uvarint()))
            need(sum(found[-1][1:]) <= MAX_CHUNK, 'a manifest uses more of a chunk than any can have')
        return found
    def extent_tree(self, node_id, levels=MOST_LEVELS):
        need(levels > 0, 'an extent list has more levels than any can have')
        node = Reader(self.chunk(node_id), 'an extent list')
        kind = node.u8()
        if kind == 3:
            ids = [node.raw(32) for _ in range(node.count(node.uvarint(), 32))]
            yield from self.extents(node, ids)
            return
        need(kind == 4, f'an extent node of unknown type {kind}')
        for _ in range(node.count(node.uvarint(), 33)):
            node.uvarint()
            yield from self.extent_tree(node.raw(32), levels - 1)
    def pieces(self, e):
        total = 0
        for chunk_id, offset, length in (e['extents'] if e['tree'] is None else self.extent_tree(e['tree'])):
            plain = self.chunk(chunk_id)
            need(offset + length <= len(plain), 'an extent is longer than its chunk')
            total += length
            yield plain[offset:offset + length]
        need(total == e['size'], f"it has {total} bytes, not {e['size']}")
