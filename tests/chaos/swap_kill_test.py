#!/usr/bin/env python3
"""Kills the host at random moments of a swap while customers order: it comes up in exactly one generation, the one before or the
next one, and the books match."""

import os
import random
import subprocess
import sys
import time

import trial
from shop_host import PATIENCE
from swap_test import NUMBERS, TURN, Swaps, add_arguments


def main():
    p = trial.parser(__doc__)
    add_arguments(p)
    args = p.parse_args()
    count = args.rounds or (300 if trial.is_long() else 15)
    rng = random.Random(args.seed)
    with trial.Trial(args, "swap_kill") as t:
        t.open_shop()
        t.load.start()
        swaps = Swaps(t, os.path.abspath(args.versions))
        ends = {"before": 0, "next": 0}
        # As long as one swap takes here, and half as much; what the others tell makes it more or less.
        begun = time.monotonic()
        swaps.swap(TURN[0])
        window = 1.5 * (time.monotonic() - begun)
        for n in range(count):
            plugin = TURN[n % len(TURN)]
            if plugin == "payment" and swaps.at["order"] == "present":
                plugin = "order"  # first: it reads the event that the later payment emits
            to, file = swaps.next_file(plugin)
            probation_ms = rng.choice([0, 40, 200])
            command = [t.host.binary, "swap", plugin, file, "--address", f"127.0.0.1:{t.host.port}", "--force",
                       "--probation-ms", str(probation_ms)]
            swap = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # From before its first step to behind its last.
            time.sleep(rng.uniform(0.0, window + probation_ms / 1000))
            t.host.kill()
            swap.wait(PATIENCE)
            t.host.start()
            t.host.wait_ready()
            found = t.host.version(plugin)
            if found == NUMBERS[to]:
                ends["next"] += 1
                swaps.at[plugin] = to
                window /= 1.1
            elif found == NUMBERS[swaps.at[plugin]]:
                ends["before"] += 1
                window *= 1.1
            else:
                swaps.faults.append(f"round {n}: {plugin} came up as {found}, expected {NUMBERS[swaps.at[plugin]]} or {NUMBERS[to]}")
                break
        else:
            # With a few rounds it would be chance.
            if count >= 10 and 0 in ends.values():
                swaps.faults.append(f"all kills were on one side of the flip: {ends}")
        return t.close_books(f"{count} kills in swaps ({ends['before']} came up as before, {ends['next']} in the next)",
                             swaps.faults)


if __name__ == "__main__":
    sys.exit(main())
