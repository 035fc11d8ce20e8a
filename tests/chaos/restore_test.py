#!/usr/bin/env python3
"""The database is restored from a backup that was taken while customers ordered; the broker's logs go on.

What was accepted after the backup is lost by nature: those orders are gone, and so may be cancellations from then on. What
must hold all the same:
- every order that was accepted before the backup began is there, and ends as it should, with its stock, money, parcel and
  letters counted once, though the others' answers of the lost time are read again;
- every order that is accepted after the restore goes its whole way: its events come under a new source (incarnation), or
  with numbers beyond all that were given before; else consumers would take them for events that they have seen;
- other stores may know a lost order from its events on the bus; stock then still adds up.
"""

import os
import sys
import time

import trial
from bus_audit import BusAudit
from server_shop import ServerShop
from shop_host import TOPICS
from shop_load import Load


class Restore:
    def __init__(self, t):
        self.t, self.shop = t, t.host
        self.before, self.cancelled_before, self.during = set(), set(), set()

    def run(self, seconds):
        t, servers = self.t, self.shop.servers
        t.load.start()
        time.sleep(seconds)
        backup = os.path.join(self.shop.folder, "backup")
        self.before, self.cancelled_before = set(t.load.accepted.values()), set(t.load.cancelled)
        servers.back_up(backup)
        time.sleep(seconds)
        # Customers who wait for an answer get it from the database that is about to be lost.
        t.load.finish()
        self.during = set(t.load.accepted.values()) - self.before
        self.shop.kill_host("main")
        servers.kill_postgres()
        servers.restore(backup)
        self.shop.start_host("main")
        self.shop.wait_ready()
        earlier = t.load
        t.load = Load(self.shop.ports, f"{t.args.seed}/again", t.args.customers, earlier.pause)
        t.load.start()
        time.sleep(seconds)
        t.load.finish()
        t.load.accepted.update(earlier.accepted)
        t.load.cancelled |= self.cancelled_before
        t.load.trouble += earlier.trouble

    def lost(self):
        there = {row["order_id"] for row in self.shop.read("order", "SELECT order_id FROM orders")}
        return frozenset(self.during - there)

    def audit_bus(self, audit):
        """No event may be dropped for its number unless it stands there twice."""
        bus = BusAudit(self.shop.servers.brokers, TOPICS)
        lives = {record.source for record in bus.effective["order-events"]}
        return bus.faults, (f"{len(audit.lost)} of {len(self.during)} orders lost, {len(lives)} incarnations of their "
                            f"store, {bus.summary()}")


def main():
    args = trial.arguments(__doc__)
    with trial.Trial(args, "restore", make=ServerShop, pause=0.1) as t:
        t.open_shop()
        story = Restore(t)
        story.run(20 if trial.is_long() else 4)
        return t.close_books("database restored from a backup", (), story.audit_bus, story.lost)


if __name__ == "__main__":
    sys.exit(main())
