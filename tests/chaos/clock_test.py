#!/usr/bin/env python3
"""Three hosts with replicas on Kafka and PostgreSQL, whose machines do not agree on the time: one is an hour ahead, one an hour behind,
and in the middle both clocks are set right, as by hosts that start anew. The books must be as good as ever, and each wrong clock is told of.
"""

import os
import re
import sys
import time

import trial
from bus_audit import audit_bus
from server_shop import ServerShop

AHEAD = {"a": 0, "b": 3600, "c": -3600}  # seconds
SECONDS = 6


class SkewedShop(ServerShop):
    def __init__(self, *what):
        super().__init__(*what, names=tuple(AHEAD))
        self.ahead = dict(AHEAD)

    def start_host(self, name):
        env = dict(os.environ)
        if self.ahead[name]:
            env.update(LD_PRELOAD=os.path.abspath(self.args.clock), GANTRY_CLOCK_AHEAD=str(self.ahead[name]))
        self.hosts[name].start(env)
        self.wanted.append(name)


def seconds_ahead(host):
    """What the metric says, by plugin."""
    _, text = host.get("/metrics")
    return [float(v) for v in re.findall(r"(?m)^gantry_clock_ahead_seconds\{[^}]*\} (\S+)$", text)]


def told(host, words):
    with open(host.log, errors="replace") as file:
        return [line for line in file if words in line]


def look(shop, faults):
    """Every host knows how wrong its clock is, and only those that are wrong say so."""
    for name, host in shop.hosts.items():
        wanted = shop.ahead[name]
        until = time.monotonic() + 60
        while not (found := seconds_ahead(host)) or any(abs(s - wanted) > 5 for s in found):
            if time.monotonic() > until:
                faults.append(f"host {name} is {wanted} s ahead, its metric says {found}")
                break
            time.sleep(0.2)
        lines = told(host, "This machine's clock is wrong")
        right = f"it is {abs(wanted)} s {'ahead of' if wanted > 0 else 'behind'} the clock of the server of postgres"
        about = [line for line in lines if re.sub(r"35\d\d s", "3600 s", line).find(right) >= 0]
        plugins = [re.search(r'"plugin":"(\w+)"', line).group(1) for line in about]
        if wanted and (len(about) != len(lines) or len(plugins) != len(set(plugins)) or not plugins):
            faults.append(f"host {name} is {wanted} s ahead and says: {lines[:3]}")
        if AHEAD[name] == 0 and lines:
            faults.append(f"host {name} has the right time and says: {lines[:3]}")


def main():
    parser = trial.parser(__doc__)
    parser.add_argument("--clock", required=True, help="the library that makes clocks wrong")
    args = parser.parse_args()
    faults = []
    with trial.Trial(args, "clocks", make=SkewedShop, pause=0.1) as t:
        t.open_shop()
        t.load.start()
        time.sleep(SECONDS)
        look(t.host, faults)
        # The same hosts with the right time: what they had stamped lies in their future, or far back.
        for name in ("b", "c"):
            t.host.stop_host(name)
            t.host.ahead[name] = 0
            t.host.start_host(name)
            t.host.hosts[name].wait_ready()
        time.sleep(SECONDS)
        look_again = [f"host {name}: {seconds_ahead(t.host.hosts[name])}" for name in ("b", "c")
                      if any(abs(s) > 5 for s in seconds_ahead(t.host.hosts[name]))]
        return t.close_books("an hour ahead, an hour behind, set right", [*faults, *look_again], audit_bus(t.host))


if __name__ == "__main__":
    sys.exit(main())
