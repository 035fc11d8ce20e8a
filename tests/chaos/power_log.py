"""Cuts the power: takes back what power_cut.c has noted and no sync covers.

A disk may keep any of the writes that were not synced, and parts of them; so after everything is undone a random choice
is done again: none, all up to some change, or each with some probability and by sectors of 512 bytes.
"""

import os
import struct

HEADER = struct.Struct("<IIQQQQQIIII")
MAGIC = 0x54554350
WRITE, RESIZE, SYNC, CREATE, RENAME, UNLINK = 1, 2, 3, 4, 5, 6
SECTOR = 512


class Change:
    def __init__(self, kind, number, inode, offset, length, old_size, old, name, other):
        self.kind, self.number, self.inode = kind, number, inode
        self.offset, self.length, self.old_size = offset, length, old_size
        self.old, self.name, self.other = old, name, other
        self.new = b""


def read_log(path):
    """All whole records; a kill may have cut the last one, whose change then did not happen."""
    if not os.path.exists(path):
        return [], {}  # killed before it wrote anything
    with open(path, "rb") as file:
        data = file.read()
    changes, synced, at = [], {}, 0
    while at + HEADER.size <= len(data):
        magic, kind, number, inode, offset, length, old_size, size, name, other, end = HEADER.unpack_from(data, at)
        if magic != MAGIC or end != MAGIC ^ 0xFFFFFFFF:
            raise RuntimeError(f"{path}: no record at {at}")
        body = at + HEADER.size
        at = body + size + name + other
        if at > len(data):
            break
        if kind == SYNC:
            synced[inode] = max(synced.get(inode, 0), number)
            continue
        names = data[body + size : at]
        changes.append(Change(kind, number, inode, offset, length, old_size, data[body : body + size],
                              os.fsdecode(names[:name]), os.fsdecode(names[name:])))
    return changes, synced


def _paths_of_inodes(roots):
    found = {}
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                found.setdefault(os.stat(path).st_ino, path)
    return found


def _undo_in_file(file, change):
    size = os.fstat(file.fileno()).st_size
    if change.kind == WRITE:
        change.new = os.pread(file.fileno(), change.length, change.offset)
    os.ftruncate(file.fileno(), min(size, change.old_size))
    if change.old:
        os.pwrite(file.fileno(), change.old, change.offset)
    if os.fstat(file.fileno()).st_size < change.old_size:
        os.ftruncate(file.fileno(), change.old_size)


def _redo_in_file(file, change, rng, torn):
    if change.kind == RESIZE:
        os.ftruncate(file.fileno(), change.length)
        return
    at = change.offset
    end = change.offset + len(change.new)
    while at < end:
        stop = min(end, (at // SECTOR + 1) * SECTOR) if torn else end
        if not torn or rng.random() < 0.5:
            os.pwrite(file.fileno(), change.new[at - change.offset : stop - change.offset], at)
        at = stop


def _undo_in_folder(change, side):
    kept = lambda inode: os.path.join(side, f"inode.{inode}")
    if change.kind == CREATE:
        if os.path.exists(change.name):
            os.unlink(change.name)
    elif change.kind == UNLINK:
        if not os.path.exists(change.name) and os.path.exists(kept(change.length)):
            os.link(kept(change.length), change.name)
    elif os.path.exists(change.other) and os.stat(change.other).st_ino == change.length:
        os.rename(change.other, change.name)
        if change.old_size:
            os.link(kept(change.old_size), change.other)


def cut(data, side, log, rng):
    """Leaves `data` as a power cut would. Returns (changes that were not synced, how many of them survive, how)."""
    changes, synced = read_log(log)
    lost = [c for c in changes if c.number > synced.get(c.inode, 0)]
    files = [c for c in lost if c.kind in (WRITE, RESIZE)]
    folders = [c for c in lost if c.kind not in (WRITE, RESIZE)]
    how = rng.choice(["none", "none", "prefix", "some", "torn"])
    if how == "prefix":
        last = rng.choice(lost).number if lost else 0
        survives = lambda c: c.number <= last
    elif how in ("some", "torn"):
        share = rng.random()
        survives = lambda c: rng.random() < share
    else:
        survives = lambda c: False

    paths = _paths_of_inodes([data, side])
    by_inode = {}
    for change in files:
        by_inode.setdefault(change.inode, []).append(change)
    kept = 0
    for inode, list_ in by_inode.items():
        path = paths.get(inode)
        if path is None:
            continue
        with open(path, "r+b") as file:
            for change in reversed(list_):
                _undo_in_file(file, change)
            for change in list_:
                if survives(change):
                    _redo_in_file(file, change, rng, how == "torn")
                    kept += 1
    # A directory's changes reach the disk in their order: those up to some change survive.
    stays = 0
    if how != "none" and folders:
        stays = rng.randrange(len(folders) + 1)
    for change in reversed(folders[stays:]):
        _undo_in_folder(change, side)
    kept += stays
    for folder, _, names in os.walk(data):
        for name in names:
            if name.endswith("-shm"):
                os.unlink(os.path.join(folder, name))
    for name in os.listdir(side):
        os.unlink(os.path.join(side, name))
    return len(lost), kept, how
