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
from shop_host import PATIENCE, SERVICES

AHEAD = {"a": 0, "b": 3600, "c": -3600}  # seconds
SECONDS = 6
TOLERANCE = 10  # seconds: a server that has much to do answers late


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


def wrong_at(host, wanted, first_told):
    """What a host that is so many seconds ahead has not found out, or says although it is not so; nothing when all is well. Of its
    log only the lines from `first_told` on count."""
    found = seconds_ahead(host)
    # Before a plugin has asked the server its figure is zero, which no answer of a server is for long.
    if len(found) != len(SERVICES) or any(s == 0 or abs(s - wanted) > TOLERANCE for s in found):
        return f"host {host.name} is {wanted} s ahead, its metric says {found}"
    lines = told(host, "This machine's clock is wrong")[first_told:]
    about = [re.search(r'"plugin":"(\w+)".*"it is (\d+) s (ahead of|behind) the clock of the server of postgres', line) for line in lines]
    direction = "ahead of" if wanted > 0 else "behind"
    if not all(m and m.group(3) == direction and abs(int(m.group(2)) - abs(wanted)) <= TOLERANCE for m in about):
        return f"host {host.name} is {wanted} s ahead and says: {lines[:3]}"
    plugins = [m.group(1) for m in about]
    if sorted(plugins) != (sorted(SERVICES) if wanted else []):
        return f"host {host.name} is {wanted} s ahead and these plugins say so, each once: {plugins}"
    return None


def look(shop, faults, first_told):
    """Every host knows how wrong its clock is, and only those that are wrong say so."""
    for name, host in shop.hosts.items():
        until = time.monotonic() + PATIENCE
        while (wrong := wrong_at(host, shop.ahead[name], first_told[name])) and time.monotonic() < until:
            time.sleep(0.2)
        if wrong:
            faults.append(wrong)


def main():
    parser = trial.parser(__doc__)
    parser.add_argument("--clock", required=True, help="the library that makes clocks wrong")
    args = parser.parse_args()
    faults = []
    with trial.Trial(args, "clocks", make=SkewedShop, pause=0.1) as t:
        t.open_shop()
        t.load.start()
        time.sleep(SECONDS)
        look(t.host, faults, dict.fromkeys(AHEAD, 0))
        so_far = {name: len(told(host, "This machine's clock is wrong")) for name, host in t.host.hosts.items()}
        # The same hosts with the right time: what they had stamped lies in their future, or far back.
        for name in ("b", "c"):
            t.host.stop_host(name)
            t.host.ahead[name] = 0
            t.host.start_host(name)
            t.host.hosts[name].wait_ready()
        time.sleep(SECONDS)
        look(t.host, faults, so_far)
        return t.close_books("an hour ahead, an hour behind, set right", faults, audit_bus(t.host))


if __name__ == "__main__":
    sys.exit(main())
