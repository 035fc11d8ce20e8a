"""Checking and waiting."""

import http.client
import threading
import time

PATIENCE = 60.0  # seconds: how long to wait before something counts as hung, never a measure of speed


def check(holds, *about):
    """A promise is broken: says what was found."""
    if not holds:
        raise AssertionError("; ".join(str(a) for a in about))


def equal(found, wanted, what=""):
    check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")


def until(what, probe, patience=PATIENCE):
    """Waits for a truthy answer of `probe`, and gives it."""
    end = time.monotonic() + patience
    while True:
        try:
            found = probe()
        except (OSError, http.client.HTTPException) as why:  # the host is starting again
            found, seen = None, why
        else:
            seen = found
        if found:
            return found
        check(time.monotonic() < end, f"after {patience:.0f} s still not so: {what}", f"last seen: {str(seen)[:600]}")
        time.sleep(0.03)


def in_parallel(count, work):
    """Runs work(0) .. work(count-1) at once and gives their answers; the first failure is thrown."""
    out, failures = [None] * count, []

    def one(i):
        try:
            out[i] = work(i)
        except Exception as why:  # told to whoever waits
            failures.append(why)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]
    return out
