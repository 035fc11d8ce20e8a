#!/usr/bin/env python3
"""Kills the host at random moments of a swap while customers order: it comes up in exactly one generation, the one before or the
next one, and the books match."""

import json
import os
import random
import subprocess
import sys
import time

import trial
from swap_test import TURN, Swaps

VERSIONS = {"present": None, "next": "1.1.0", "other": "1.1.1"}


def version_of(host, plugin):
    status, text = host.get(f"/{plugin}/version")
    return json.loads(text)["version"] if status == 200 else None


def main():
    p = trial.parser(__doc__)
    p.add_argument("--versions", required=True, help="the folder with next/ and other/")
    p.add_argument("--resident", action="store_true")
    p.add_argument("--gun")
    args = p.parse_args()
    count = args.rounds or (300 if trial.is_long() else 15)
    rng = random.Random(args.seed)
    with trial.Trial(args, "swap_kill") as t:
        t.open_shop()
        t.load.start()
        swaps = Swaps(t, os.path.abspath(args.versions))
        ends = {"before": 0, "next": 0}
        for n in range(count):
            plugin = TURN[n % len(TURN)]
            if plugin == "payment" and swaps.at["order"] == "present":
                plugin = "order"  # first: it reads the event that the later payment emits
            to, file = swaps.next_file(plugin)
            command = [t.host.binary, "swap", plugin, file, "--address", f"127.0.0.1:{t.host.port}", "--force",
                       "--probation-ms", str(rng.choice([0, 40, 200]))]
            swap = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # From before its first step to behind its last.
            time.sleep(rng.uniform(0.0, 0.35))
            t.host.kill()
            swap.wait()
            t.host.start()
            t.host.wait_ready()
            found = version_of(t.host, plugin)
            if found == VERSIONS[to]:
                ends["next"] += 1
                swaps.at[plugin] = to
            elif found == VERSIONS[swaps.at[plugin]]:
                ends["before"] += 1
            else:
                swaps.faults.append(f"round {n}: {plugin} came up as {found}, expected {VERSIONS[swaps.at[plugin]]} or {VERSIONS[to]}")
                break
        return t.close_books(f"{count} kills in swaps ({ends['before']} came up as before, {ends['next']} in the next)",
                             swaps.faults)


if __name__ == "__main__":
    sys.exit(main())
