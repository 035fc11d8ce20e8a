#!/usr/bin/env python3
"""Swaps order, inventory and payment in turn for other versions while customers order, then checks the books one to one. On the
local bus and SQLite in one host; with --hosts on Kafka and PostgreSQL, in so many hosts that each run all plugins.

No request may fail, no event may be handled twice or not at all, and memory must not grow with the number of swaps. What the
receipts say is held against what the customers counted."""

import json
import os
import subprocess
import sys
import time

import trial
from bus_audit import audit_bus
from memory import page_caches, resident
from server_shop import ServerShop
from shop_audit import wait_for_rest
from shop_host import PATIENCE

TURN = ["order", "inventory", "payment"]
NUMBERS = {"present": "1.0.0", "next": "1.1.0", "other": "1.1.1"}  # of the versions
# Swaps at rest: the first ones take memory that later ones use again.
SETTLING, AT_REST = 10, 30
ALLOWED = 4 << 20  # bytes that a process may have more after the others, beside what the stores' page caches hold


class Swaps:
    def __init__(self, t, versions):
        self.t, self.versions = t, versions
        self.at = {plugin: "present" for plugin in TURN}
        self.done, self.faults = 0, []
        self.pauses, self.receipts = [], []

    def next_file(self, plugin):
        to = "next" if self.at[plugin] != "next" else "other"
        return to, os.path.join(self.versions, to, plugin + ".so")

    def swap(self, plugin, probation_ms=0):
        to, file = self.next_file(plugin)
        # The way back to the older number is an operator's own decision.
        command = [self.t.host.binary, "swap", plugin, file, "-t", self.t.host.topology, "--json",
                   "--probation-ms", str(probation_ms), "--force"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        try:
            receipts = [json.loads(line) for line in ended.stdout.splitlines()]
        except ValueError:
            receipts = []
        what = f"swap {self.done} of {plugin} to {to}"
        if ended.returncode != 0 or len(receipts) != len(hosts_of(self.t)):
            self.faults.append(f"{what}: ended with {ended.returncode}, {len(receipts)} receipts: {ended.stderr}")
        if all([self.check_receipt(f"{what} on {receipt['host']}", receipt) for receipt in receipts]):
            self.at[plugin] = to
            self.done += 1

    def check_receipt(self, what, receipt):
        if receipt["outcome"] != "swapped":
            self.faults.append(f"{what}: {receipt['outcome']}: {receipt['reasons']}")
            return False
        self.pauses.append(receipt["lanePauseUs"])
        self.receipts.append(receipt)
        if receipt["work"]["requestErrors"]:
            self.faults.append(f"{what}: {receipt['work']['requestErrors']} requests answered with 5xx")
        if receipt["resident"] and not self.t.args.resident:
            self.faults.append(f"{what}: stays in memory: {receipt['resident']}")
        return True

    def check_version(self, plugin):
        wanted = NUMBERS[self.at[plugin]]
        for host in hosts_of(self.t):
            status, text = host.get(f"/{plugin}/version")
            if status != 200 or json.loads(text)["version"] != wanted:
                self.faults.append(f"{plugin} on {host.name} answers as {status} {text}, expected version {wanted}")


def hosts_of(t):
    return t.host.up() if isinstance(t.host, ServerShop) else [t.host]


class Gun:
    """Orders at a steady rate, beside those of the customers."""

    def __init__(self, t, rate):
        self.t, self.rate = t, rate
        self.file = os.path.join(t.host.folder, "gun.txt")
        command = [t.args.gun, str(t.host.ports[0]), str(rate), "64", self.file]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def finish(self):
        """What it says of itself. Its orders become the load's."""
        try:
            told, _ = self.process.communicate(timeout=4 * PATIENCE)  # it gives up by itself before
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        with open(self.file) as file:
            self.t.load.accepted.update(line.split() for line in file)
        told = json.loads(told)
        self.t.load.unanswered += told["unanswered"]
        self.t.load.refused += told["refused"]
        if told["wrong"]:
            self.t.load.complain(f"{told['wrong']} orders were answered neither with 201 nor with 503")
        if told["given_up"]:
            self.t.load.complain(f"{told['given_up']} orders were not accepted at last")
        return told


def memory_of(hosts):
    """Bytes that each process has beside what the stores' page caches may hold."""
    return [resident(host.pid()) - page_caches(host) for host in hosts]


def mapped(pid, generations):
    """Files of generations in the process. Hosts that share the folder replace each other's copies by the same ones."""
    with open(f"/proc/{pid}/maps") as file:
        return {line.split(maxsplit=5)[5].strip().removesuffix(" (deleted)") for line in file if generations in line}


def add_arguments(p):
    """Those of every test with swaps."""
    p.add_argument("--versions", required=True, help="the folder with next/ and other/")
    p.add_argument("--resident", action="store_true", help="old generations may stay: a sanitizer build never unloads")


def main():
    p = trial.parser(__doc__)
    add_arguments(p)
    p.add_argument("--hosts", type=int, help="on Kafka and PostgreSQL, in so many hosts")
    p.add_argument("--gun", help="the program that places orders at a steady rate")
    p.add_argument("--rate", type=float, help="its orders per second")
    args = p.parse_args()
    count, at_rest = (1000, 300) if trial.is_long() else (45, AT_REST)
    if args.hosts:
        count, at_rest = (100 if trial.is_long() else 9), AT_REST
    count = args.rounds or count
    rate = args.rate if args.rate is not None else 0 if args.hosts else 5000 if trial.is_long() else 200

    def on_servers(*what):
        return ServerShop(*what, names=[chr(ord("a") + n) for n in range(args.hosts)])

    with trial.Trial(args, "swap", **({"make": on_servers, "pause": 0.1} if args.hosts else {})) as t:
        t.open_shop()
        t.load.start()
        gun = Gun(t, rate) if args.gun and rate else None
        swaps = Swaps(t, os.path.abspath(args.versions))
        for n in range(count):
            plugin = TURN[n % len(TURN)]
            swaps.swap(plugin)
            swaps.check_version(plugin)
            time.sleep(0.01)
        # Orders take memory as well, keys and pages: what swaps alone take shows once nobody orders any more.
        shot = gun.finish() if gun else {}
        t.load.finish()
        restless = wait_for_rest(t.host)
        if restless:
            swaps.faults.append(restless)
        hosts = hosts_of(t)
        for n in range(at_rest):
            if n == SETTLING:
                early = memory_of(hosts)
            swaps.swap(TURN[n % len(TURN)])
        late = memory_of(hosts)
        largest = max(resident(host.pid()) for host in hosts)
        for host in hosts:
            files = mapped(host.pid(), "/generations/")
            if not args.resident and len(files) != 6:
                swaps.faults.append(f"{len(files)} generations are mapped, expected the 6 that run: {sorted(files)}")
        grown = max(after - before for before, after in zip(early, late))
        if not args.resident and grown > ALLOWED:
            swaps.faults.append(f"a host has {grown >> 10} kB more after swap {at_rest} at rest than after swap {SETTLING}, "
                                f"{ALLOWED >> 10} are allowed: {early}, {late}")
        if t.load.refused or t.load.unanswered:
            swaps.faults.append(f"{t.load.refused} requests were refused, {t.load.unanswered} not answered")
        pauses = sorted(swaps.pauses) or [0]
        words = (f"{shot or 'no'} orders at a steady rate; lane pause p50 {pauses[len(pauses) // 2]} us, p99 {pauses[len(pauses) * 99 // 100]} us, most {pauses[-1]} us; "
                 f"{largest >> 10} kB after {at_rest} swaps at rest, of them {grown >> 10:+} kB since swap {SETTLING}")
        on_bus = audit_bus(t.host) if args.hosts else lambda audit: ([], "")

        def more(audit):
            faults, said = on_bus(audit)
            return faults, "; ".join(filter(None, [words, said]))

        return t.close_books(f"{swaps.done} swaps of {count + at_rest}", swaps.faults, more)


if __name__ == "__main__":
    sys.exit(main())
