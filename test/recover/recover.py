#!/usr/bin/python3
"""Restores a pipe-backup vault from one local sink, with the recovery phrase alone.

The second reader of the format: vault_reader.py beside this reads it, written from docs/format.md alone. Needs Debian's python3-nacl and
python3-zstandard, and both files beside this one: vault_reader.py and bip39-english.txt.

  recover.py SINK --phrase-file FILE --list
  recover.py SINK --phrase-file FILE [--snapshot ID] --to DIR [PATH...]

SINK is the directory that holds vault.json. A PATH begins with its source's name and selects itself and all below.
Exit code: 0 all well; 1 something is damaged or missing (the rest is restored); 2 usage.
"""
import argparse, getpass, os, stat, sys

from vault_reader import Damaged, Vault, need

HOLE = 1 << 16

# --- writing, never outside the target: every directory is opened below the one before, and no link is followed

ACCESS, DEFAULT, CAPABILITY = b'system.posix_acl_access', b'system.posix_acl_default', b'security.capability'

def mode_without(acl, mode):
    """With a control list the group's bits are its mask: where it can't be set, they are to be what it gives the owning group."""
    for at in range(4, len(acl) - 7, 8):
        if acl[at:at + 2] == b'\x04\0':
            return mode & ~0o070 | mode & (acl[at + 2] & 7) << 3
    return mode & ~0o070

class Target:
    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        self.as_root = os.geteuid() == 0
        self.directories, self.not_set = [], {}
    @staticmethod
    def make_directory(name, mode, fd):
        try:
            os.mkdir(name, mode, dir_fd=fd)
        except FileExistsError:
            pass
    def parent(self, path, make=True):
        *above, name = path.split(b'/')
        fd = os.dup(self.root)
        for part in above:
            try:
                if make:
                    self.make_directory(part, 0o755, fd)
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
        return fd, name
    def write(self, vault, path, e, prefix):
        fd, name = self.parent(path)
        try:
            kind = e['type']
            if kind == 'directory':
                self.make_directory(name, 0o700, fd)
                need(stat.S_ISDIR(os.lstat(name, dir_fd=fd).st_mode), 'there is something else of this name')
                self.directories.append((path, e))
                return
            try:
                os.unlink(name, dir_fd=fd)
            except FileNotFoundError:
                pass
            if kind == 'file':
                out = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=fd)
                try:
                    with os.fdopen(out, 'wb') as f:
                        for piece in vault.pieces(e):
                            for at in range(0, len(piece), HOLE):
                                part = piece[at:at + HOLE]
                                if e['sparse'] and not part.strip(b'\0'):
                                    f.seek(len(part), 1)
                                else:
                                    f.write(part)
                        f.truncate(e['size'])
                except BaseException:
                    os.unlink(name, dir_fd=fd)
                    raise
            elif kind == 'symlink':
                os.symlink(e['target'], name, dir_fd=fd)
            elif kind == 'hardlink':
                other, other_name = self.parent(prefix + e['target'], make=False)
                try:
                    os.link(other_name, name, src_dir_fd=other, dst_dir_fd=fd, follow_symlinks=False)
                finally:
                    os.close(other)
                return
            else:
                node_type = {'fifo': stat.S_IFIFO, 'chardev': stat.S_IFCHR, 'blockdev': stat.S_IFBLK}[kind]
                os.mknod(name, 0o600 | node_type, e.get('device', 0), dir_fd=fd)
            self.metadata(fd, name, e)
        finally:
            os.close(fd)
    def metadata(self, fd, name, e):
        # In this order: chown takes capabilities away, and a mode set before its control list would let the group in.
        if self.as_root:
            os.chown(name, e['uid'], e['gid'], dir_fd=fd, follow_symlinks=False)
        mode = e['mode'] if self.as_root else e['mode'] & 0o1777
        for attribute, value in e['attributes']:
            if not (attribute.startswith((b'user.', b'trusted.')) or attribute in (ACCESS, DEFAULT, CAPABILITY)):
                continue
            try:
                os.setxattr(b'/proc/self/fd/%d/%s' % (fd, name), attribute, value, follow_symlinks=False)
            except OSError as error:
                self.not_set.setdefault(error.strerror, []).append((attribute, e['path']))
                if attribute == ACCESS:
                    mode = mode_without(value, mode)
        if e['type'] != 'symlink':
            os.chmod(name, mode, dir_fd=fd)
        os.utime(name, ns=(e['mtime'], e['mtime']), dir_fd=fd, follow_symlinks=False)
    def finish(self):
        for path, e in reversed(self.directories):
            fd, name = self.parent(path, make=False)
            self.metadata(fd, name, e)
            os.close(fd)

def restore(vault, head, directory, paths):
    bad = vault.learn([name for name, _ in head['packs']])
    target, done = Target(directory), 0
    selected = lambda path: not paths or any(path == p or path.startswith(p + b'/') for p in paths)
    for source in head['sources']:
        if 'root' not in source:
            print(f"recover: source {source['name']} failed in this snapshot: {source.get('error')}", file=sys.stderr)
            continue
        prefix = os.fsencode(source['name']) + b'/'
        if paths and not any(p + b'/' == prefix or p.startswith(prefix) for p in paths):
            continue
        try:
            for e in vault.entries(bytes.fromhex(source['root'])):
                path = prefix + e['path']
                if not selected(path):
                    continue
                try:
                    target.write(vault, path, e, prefix)
                    done += 1
                except (Damaged, OSError) as error:
                    bad += 1
                    print(f'recover: not restored: {os.fsdecode(path)!r}: {error}', file=sys.stderr)
        except (Damaged, OSError) as error:
            bad += 1
            print(f"recover: the rest of source {source['name']} is not restored: {error}", file=sys.stderr)
    target.finish()
    for reason, found in target.not_set.items():
        bad += 1
        names = ', '.join(sorted({os.fsdecode(name) for name, _ in found})[:5])
        print(f'recover: extended attributes not restored {len(found)} times, first on {os.fsdecode(found[0][1])!r}: {names}: {reason}', file=sys.stderr)
    print(f"{done} entries of snapshot {head['id']} restored to {directory}; {bad} problems")
    return 1 if bad else 0

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sink')
    parser.add_argument('paths', nargs='*', type=os.fsencode)
    parser.add_argument('--phrase-file')
    parser.add_argument('--snapshot', default='latest')
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument('--to')
    action.add_argument('--list', action='store_true')
    a = parser.parse_intermixed_args()
    phrase = open(a.phrase_file).read() if a.phrase_file else getpass.getpass('recovery phrase: ')
    vault = Vault(a.sink, phrase)
    snapshots = vault.snapshots()
    if a.list:
        for head in snapshots:
            print(head['id'], head['time'], head['host'], ' '.join(f"{s['name']}:{s['state']}" for s in head['sources']))
        return 0
    chosen = snapshots[-1:] if a.snapshot == 'latest' else [head for head in snapshots if head['id'].startswith(a.snapshot)]
    need(len(chosen) == 1, f'{len(chosen)} snapshots fit {a.snapshot!r}: --list shows them')
    return restore(vault, chosen[0], a.to, [path.strip(b'/') for path in a.paths])

if __name__ == '__main__':
    try:
        sys.exit(main())
    except (Damaged, OSError) as problem:
        sys.exit(f'recover: {problem}')
