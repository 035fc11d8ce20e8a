"""The processes of one `gantry run`: the parent that survives, the host, and the plugins that run apart from it."""

import os
import signal
import time


def children(pid):
    """The processes that this one has started and that still run."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def name_of(pid):
    """What it was told to be by --host; empty: its parent's copy."""
    words = command(pid)
    return words[words.index("--host") + 1] if "--host" in words else ""


def host_of(pid):
    """The process of the host itself; the given one when it has no other."""
    return next((c for c in children(pid) if "~" not in name_of(c)), pid)


def is_gone(pid):
    """Its last thread as well: until then its files and ports are in use."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            dead = file.read().rsplit(")", 1)[1].split()[0] in "ZX"
        return dead and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return True


def stand_still(pid, patience=60):
    """SIGSTOP, so that it starts no further process; returns once it stands, or has ended."""
    until = time.monotonic() + patience
    try:
        os.kill(pid, signal.SIGSTOP)
        while time.monotonic() < until:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] in "TtZX":
                    return
            time.sleep(0.0005)
    except OSError:
        pass


def kill_all(process, patience=60):
    """SIGKILL to the parent, with which the others end; returns once they have: files and ports are free then."""
    stand_still(process.pid)
    below = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + patience
    while not all(is_gone(pid) for pid in below):
        if time.monotonic() > until:
            for pid in below:
                if not is_gone(pid):
                    os.kill(pid, signal.SIGKILL)
            raise RuntimeError(f"processes outlived their parent: {below}")
        time.sleep(0.002)
