"""What a host's process takes of memory."""

import os
import re

from shop_host import SERVICES

PAGE_CACHE = 16 << 20  # of a store's writer


def resident(pid):
    """Bytes."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"(?m)^VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024


def page_caches(host):
    """What SQLite's page caches may hold by now: a file's pages up to PAGE_CACHE, so they fill as the files grow."""
    sizes = {}
    for service in SERVICES:
        for name in (f"data/{service}.db", f"data/{service}.db-wal"):
            try:
                sizes[service] = sizes.get(service, 0) + os.stat(os.path.join(host.folder, name)).st_size
            except FileNotFoundError:
                pass  # the stores are elsewhere
    return sum(min(size, PAGE_CACHE) for size in sizes.values())
