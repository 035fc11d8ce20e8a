#!/usr/bin/env python3
"""Kills the host again and again while customers order, then checks the books one to one."""

import random
import sys
import time

import trial


def main():
    args = trial.arguments(__doc__)
    kills = args.rounds or (1000 if trial.is_long() else 50)
    rng = random.Random(args.seed)
    with trial.Trial(args, "kill") as t:
        t.open_shop()
        t.load.start()
        early = 0
        for _ in range(kills):
            # One in five dies while it starts, somewhere in recovery.
            if rng.random() < 0.2:
                early += 1
                time.sleep(rng.uniform(0.02, 0.7))
            else:
                t.host.wait_ready()
                time.sleep(rng.uniform(0.1, 1.2))
            t.host.kill()
            t.host.start()
        t.host.wait_ready()
        return t.close_books(f"{kills} kills ({early} during start)")


if __name__ == "__main__":
    sys.exit(main())
