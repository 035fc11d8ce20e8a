"""Ports of the loopback for what a test starts, each handed out once among all tests that run on this machine at a time.

The numbers lie below those that the system gives to clients and to whoever binds port 0, so that no connection takes one while its
server is away for a restart, and apart from those that deploy/servers takes. A test holds its ports until it ends: a lock on a byte
of a common file for each, which the system gives back however the process ends.
"""

import fcntl
import os
import random
import socket
import tempfile
import threading

FROM, BELOW = 10_000, 20_000

_lock = threading.Lock()
_mine = set()
_file = None  # never closed: closing it anywhere in this process would give all locks back


def free_port():
    """One that nobody listens at, and that this process has not been given before."""
    global _file
    with _lock:
        if _file is None:
            _file = os.open(os.path.join(tempfile.gettempdir(), f"gantry-test-ports-{os.getuid()}"), os.O_RDWR | os.O_CREAT, 0o600)
        for port in random.SystemRandom().sample(range(FROM, BELOW), BELOW - FROM):
            if port not in _mine and _is_free(port) and _held(port):
                _mine.add(port)
                return port
    raise RuntimeError(f"no free port from {FROM} to {BELOW - 1}")


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _held(port):
    """A lock of another process stands in the way; one of this process would not, so it knows its own."""
    try:
        fcntl.lockf(_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True
