#!/usr/bin/env python3
"""Cuts the power of the whole host again and again while customers order, then checks the books one to one.

A cut is a kill after which every write that no fsync covers is taken back (power_cut.c, power_log.py). What a customer
was told must still hold, no offset may be given twice, nothing may be done twice. Letters lie outside: they have left
the house.
"""

import json
import os
import random
import sys
import threading
import time

import power_log
import trial


class Witness:
    """Reads the event log while the host runs and remembers which event stood at which offset."""

    def __init__(self, host):
        self.host = host
        self.seen = {}  # (topic, partition, offset) -> event id
        self.faults = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def read(self, cursor):
        status, text = self.host.get(f"/admin/events?from={cursor}&limit=1000")
        if status != 200:
            return cursor, False
        page = json.loads(text)
        for event in page["events"]:
            place = (event["topic"], event["partition"], event["offset"])
            event_id = event["headers"]["ce_id"]
            before = self.seen.setdefault(place, event_id)
            if before != event_id:
                self.faults.append(f"offset {place} was given twice: to {before} and to {event_id}")
        return page["cursor"], page["more"]

    def watch(self):
        cursor = "end"
        while not self.ending.is_set():
            try:
                cursor, _ = self.read(cursor)
            except (OSError, ValueError):
                cursor = "end"
            time.sleep(0.02)

    def finish(self):
        """Reads the whole log once more, against all that was seen."""
        self.ending.set()
        self.thread.join()
        cursor, more = "start", True
        while more:
            cursor, more = self.read(cursor)
        return self.faults


def main():
    args = trial.arguments(__doc__)
    cuts = args.rounds or (200 if trial.is_long() else 12)
    rng = random.Random(args.seed)
    with trial.Trial(args, "power cut", preload=os.path.abspath(args.preload)) as t:
        t.open_shop()
        witness = Witness(t.host)
        witness.thread.start()
        t.load.start()
        lost = kept = 0
        for _ in range(cuts):
            if rng.random() < 0.15:
                time.sleep(rng.uniform(0.02, 0.8))
            else:
                t.host.wait_ready()
                time.sleep(rng.uniform(0.2, 1.5))
            t.host.kill()
            changes, survivors, how = power_log.cut(t.host.data, t.host.side, t.host.power_log, rng)
            print(f"cut {t.host.starts}: {changes} changes were not synced, {survivors} survive ({how})", flush=True)
            lost += changes - survivors
            kept += survivors
            t.host.start()
        t.host.wait_ready()
        t.load.finish()
        faults = witness.finish()
        if not witness.seen or lost == 0:
            faults.append(f"the test tested nothing: {len(witness.seen)} events seen, {lost} changes lost")
        return t.close_books(f"{cuts} cuts, {lost} changes lost, {kept} survived unsynced, "
                             f"{len(witness.seen)} offsets seen", faults)


if __name__ == "__main__":
    sys.exit(main())
