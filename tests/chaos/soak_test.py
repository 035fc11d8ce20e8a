#!/usr/bin/env python3
"""The shop under a steady load, and what its process takes of memory meanwhile: it must not grow with the orders.

The resident set is sampled, less what SQLite's page caches hold: a file's pages up to PAGE_CACHE, so they fill as the files
grow. Over the second half of the time a line is laid through the samples by least squares, against time and against the orders handled.
The test fails when that line rises by more than ALLOWED + BYTES_PER_ORDER times the orders of that half. What an order must leave
behind for that depends on how many there are, and is printed: at length, a hundred bytes or two; in the short run 16 KiB, so
that one finds requests, replies and events that stay as a whole, and no less.
"""

import json
import os
import re
import subprocess
import sys
import time

import trial
from memory import page_caches, resident
from server_shop import ServerShop
from shop_host import PATIENCE, Host

SHORT_SECONDS = 20
LONG_SECONDS = 600
ALLOWED = 16 << 20
BYTES_PER_ORDER = 64


def arguments():
    parser = trial.parser(__doc__)
    parser.add_argument("--long", action="store_true", default=trial.is_long(), help="ten minutes")
    parser.add_argument("--seconds", type=float, help="how long the load goes on")
    parser.add_argument("--rate", type=int, help="orders per second; default 100, at length 1000")
    parser.add_argument("--gun", required=True, help="the program that places orders")
    parser.add_argument("--on", choices=("local", "servers"), default="local",
                        help="local bus and SQLite, or Kafka and PostgreSQL")
    return parser.parse_args()


def handled(host):
    """Orders that were placed."""
    _, text = host.get("/metrics")
    return sum(float(v) for v in re.findall(r'(?m)^gantry_requests_total\{[^}]*plugin="order"[^}]*\} (\S+)$', text))


def slope(points):
    """Of the line through (x, y) by least squares; 0 when all stand at one place."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def sample(host, seconds):
    """(seconds, orders, bytes resident, bytes of them in page caches) all the while."""
    pid = host.pid()
    begun = time.monotonic()
    out = []
    while (now := time.monotonic() - begun) < seconds:
        host.check_alive()
        out.append((now, handled(host), resident(pid), page_caches(host)))
        time.sleep(max(0.25, seconds / 400))
    return out


def verdict(samples):
    """(faults, words) of what the samples show."""
    half = [s for s in samples if s[0] >= samples[-1][0] / 2]
    orders = half[-1][1] - half[0][1]
    per_minute = 60 * slope([(t, rss) for t, _, rss, _ in half]) / 1024
    per_order = slope([(n, rss - cached) for _, n, rss, cached in half])
    growth, allowed = per_order * orders, ALLOWED + BYTES_PER_ORDER * orders
    found = f"more than {allowed / orders:.0f} would fail" if orders else "nothing to judge by"
    words = (f"{samples[-1][1] - samples[0][1]:.0f} orders, resident {samples[0][2] / 2**20:.0f} to {samples[-1][2] / 2**20:.0f} MiB, "
             f"of it page caches {samples[0][3] / 2**20:.0f} to {samples[-1][3] / 2**20:.0f}; second half: {orders:.0f} orders, "
             f"{per_minute:+.0f} KiB/min with caches, {per_order:+.0f} bytes an order without, {found}")
    faults = [] if growth <= allowed else [f"memory grew by {growth / 2**20:.1f} MiB in the second half, "
                                           f"{allowed / 2**20:.1f} are allowed"]
    if not orders:
        faults.append("no orders in the second half")
    return faults, words


def main():
    args = arguments()
    seconds = args.seconds or (LONG_SECONDS if args.long else SHORT_SECONDS)
    rate = args.rate or (1000 if args.long else 100)
    make = Host if args.on == "local" else ServerShop
    # No customers in Python: the gun is quicker, and asks for nothing else.
    args.customers = 0
    with trial.Trial(args, f"soak on {'Kafka and PostgreSQL' if args.on == 'servers' else 'the local bus and SQLite'}",
                     make=make) as t:
        t.open_shop()
        host = t.host if args.on == "local" else t.host.hosts["main"]
        accepted = os.path.join(t.host.folder, "accepted")
        gun = subprocess.Popen([args.gun, str(host.port), str(rate), "32", accepted], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
        try:
            samples = sample(host, seconds)
            out, _ = gun.communicate(timeout=4 * PATIENCE)  # it gives up by itself before
        finally:
            gun.kill()
        with open(accepted) as lines:
            t.load.accepted.update(line.split()[:2] for line in lines)
        faults, words = verdict(samples)
        if gun.returncode != 0 or json.loads(out)["wrong"]:
            faults.append(f"the gun ended with {gun.returncode}: {out}")
        with open(os.path.join(t.host.folder, "samples.json"), "w") as file:
            json.dump(samples, file)
        return t.close_books(words, faults)


if __name__ == "__main__":
    sys.exit(main())
