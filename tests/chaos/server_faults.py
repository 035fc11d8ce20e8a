"""What may happen to hosts and servers while customers order. Each fault does its harm, waits, and mends it."""

import collections
import os
import signal
import time

from server_shop import SESSION_SECONDS
from shop_host import PATIENCE


class Faults:
    """Faults by name. `rng` decides on all that is random; `long_outage` in seconds."""

    def __init__(self, shop, rng, long_outage):
        self.shop, self.rng, self.long_outage = shop, rng, long_outage
        self.servers, self.proxy = shop.servers, shop.servers.proxy
        self.counts = collections.Counter()
        self.troubles = []  # what must not happen
        self.longest = 0.0  # seconds until every host was ready again

    def names(self):
        one_host = ["host_killed", "host_killed_at_start", "broker_killed", "broker_unreachable", "broker_cut_off",
                    "postgres_killed", "postgres_recovers", "postgres_unreachable", "postgres_cut_off",
                    "postgres_slow", "commit_cut", "relay_killed_before_delete", "everything_killed"]
        several = ["replica_leaves", "zombie"]
        return one_host + (several if len(self.shop.hosts) > 1 else [])

    def happen(self, name):
        print(f"  {name}", flush=True)
        begun = time.monotonic()
        getattr(self, name)()
        self.counts[name] += 1
        done = time.monotonic()
        self.shop.wait_ready()
        ready = time.monotonic()
        self.longest = max(self.longest, ready - done)
        print(f"  {name}: {done - begun:.1f} s, ready again after {ready - done:.1f} s", flush=True)

    def summary(self):
        return ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))

    def wait(self, least, most):
        time.sleep(self.rng.uniform(least, most))

    def any_host(self):
        return self.rng.choice(self.shop.wanted)

    def restart(self, name):
        self.shop.kill_host(name)
        self.wait(0, 0.5)
        self.shop.start_host(name)

    # One host, or one of several.

    def host_killed(self):
        self.restart(self.any_host())

    def host_killed_at_start(self):
        name = self.any_host()
        self.restart(name)
        self.wait(0.02, 1.5)
        self.restart(name)

    def relay_killed_before_delete(self):
        """The broker has stored what the relay gave it, and the relay does not live to hear that."""
        self.proxy.tell("kafka", "hold_answers")
        self.wait(0.3, 1)
        name = self.any_host()
        self.shop.kill_host(name)
        self.proxy.tell("kafka", "cut")
        self.proxy.tell("kafka", "flow")
        self.shop.start_host(name)

    # One of several.

    def replica_leaves(self):
        """An orderly end and a new start: partitions go to the others and come back."""
        name = self.any_host()
        code = self.shop.stop_host(name)
        if code != 0:
            self.troubles.append(f"SIGTERM: host {name} ended with {code}")
        self.wait(0, 4)
        self.shop.start_host(name)

    def zombie(self):
        """A host stands still until its partitions have gone to others, and wakes without knowing."""
        pid = self.shop.hosts[self.any_host()].pid()
        os.kill(pid, signal.SIGSTOP)
        self.wait(SESSION_SECONDS + 1, SESSION_SECONDS + 4)
        os.kill(pid, signal.SIGCONT)

    # The broker.

    def broker_killed(self):
        self.servers.kill_broker()
        self.wait(0, 3)
        self.servers.start_broker()

    def broker_unreachable(self):
        self.shut("kafka")

    def shut(self, door):
        """Connections break, and new ones are refused."""
        self.proxy.tell(door, "shut")
        self.wait(0.5 * self.long_outage, self.long_outage)
        self.proxy.tell(door, "open")

    def broker_cut_off(self):
        self.cut_off("kafka")

    def cut_off(self, door):
        """Bytes stay on the way, in both directions; then the connections break and those bytes are lost."""
        self.proxy.tell(door, "hold")
        self.wait(0.5, 0.5 * self.long_outage)
        self.proxy.tell(door, "cut")
        self.proxy.tell(door, "flow")

    # The database.

    def postgres_killed(self):
        self.servers.kill_postgres()
        self.wait(0, 3)
        self.servers.start_postgres()

    def postgres_recovers(self):
        """One backend dies of SIGKILL: the server ends all others and goes through recovery."""
        pids = self.servers.backends()
        if pids:
            self.servers.kill_backend(self.rng.choice(pids))
        self.wait(0.2, 1)

    def postgres_unreachable(self):
        self.shut("postgres")

    def postgres_cut_off(self):
        self.cut_off("postgres")

    def postgres_slow(self):
        self.proxy.tell("postgres", "delay", self.rng.uniform(0.02, 0.1))
        self.wait(2, 4)
        self.proxy.tell("postgres", "delay", 0)

    def commit_cut(self):
        """Connections die in COMMIT: some before the server has got it, some before its answer has come back."""
        for when in ("before", "after", self.rng.choice(("before", "after"))):
            self.proxy.tell("postgres", "trap", when)
            until = time.monotonic() + PATIENCE
            while self.proxy.tell("postgres", "trap?")["trap"] and time.monotonic() < until:
                time.sleep(0.02)
            self.proxy.tell("postgres", "trap", None)
            self.wait(0.05, 0.4)

    def fates(self):
        return self.proxy.tell("postgres", "trap", None)["fates"]

    # All at once.

    def everything_killed(self):
        names = list(self.shop.wanted)
        for name in names:
            self.shop.kill_host(name)
        self.servers.kill_broker()
        self.servers.kill_postgres()
        self.servers.start_postgres()
        for name in names:  # they have to wait for the broker
            self.shop.start_host(name)
        self.servers.start_broker()
