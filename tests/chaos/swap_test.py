#!/usr/bin/env python3
"""Swaps order, inventory and payment in turn for other versions while customers order, then checks the books one to one.

No request may fail, no event may be handled twice or not at all, and memory must not grow with the number of swaps. What the
receipts say is held against what the customers counted."""

import json
import os
import subprocess
import sys
import time

import trial

TURN = ["order", "inventory", "payment"]


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
        command = [self.t.host.binary, "swap", plugin, file, "--address", f"127.0.0.1:{self.t.host.port}", "--json",
                   "--probation-ms", str(probation_ms), "--force"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        try:
            receipt = json.loads(ended.stdout)
        except ValueError:
            self.faults.append(f"swap {self.done} of {plugin} to {to}: no receipt: {ended.stderr}")
            return
        if ended.returncode != 0 or receipt["outcome"] != "swapped":
            self.faults.append(f"swap {self.done} of {plugin} to {to}: {receipt['outcome']}: {receipt['reasons']}")
            return
        self.at[plugin] = to
        self.done += 1
        self.pauses.append(receipt["lanePauseUs"])
        self.receipts.append(receipt)
        if receipt["work"]["requestErrors"]:
            self.faults.append(f"swap {self.done} of {plugin}: {receipt['work']['requestErrors']} requests answered with 5xx")
        if receipt["resident"] and not self.t.args.resident:
            self.faults.append(f"swap {self.done} of {plugin}: stays in memory: {receipt['resident']}")

    def check_version(self, plugin):
        status, text = self.t.host.get(f"/{plugin}/version")
        wanted = {"next": "1.1.0", "other": "1.1.1"}[self.at[plugin]]
        if status != 200 or json.loads(text)["version"] != wanted:
            self.faults.append(f"{plugin} answers as {status} {text}, expected version {wanted}")


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def mapped(pid, generations):
    """Files of generations in the process, by plugin."""
    with open(f"/proc/{pid}/maps") as file:
        return {line.split()[-1] for line in file if generations in line}


def main():
    p = trial.parser(__doc__)
    p.add_argument("--versions", required=True, help="the folder with next/ and other/")
    p.add_argument("--resident", action="store_true", help="old generations may stay: a sanitizer build never unloads")
    args = p.parse_args()
    count = args.rounds or (1000 if trial.is_long() else 45)
    at_rest = 300 if trial.is_long() else 30
    with trial.Trial(args, "swap") as t:
        t.open_shop()
        t.load.start()
        swaps = Swaps(t, os.path.abspath(args.versions))
        for n in range(count):
            plugin = TURN[n % len(TURN)]
            swaps.swap(plugin)
            swaps.check_version(plugin)
            time.sleep(0.01)
        # Orders take memory as well, keys and pages: what swaps alone take shows once nobody orders any more.
        t.load.finish()
        early = resident_kb(t.host.process.pid)
        for n in range(at_rest):
            swaps.swap(TURN[n % len(TURN)])
        late = resident_kb(t.host.process.pid)
        files = mapped(t.host.process.pid, "/generations/")
        if not args.resident and len(files) != 6:
            swaps.faults.append(f"{len(files)} generations are mapped, expected the 6 that run: {sorted(files)}")
        if not args.resident and late > early * 1.1:
            swaps.faults.append(f"the host has {late} kB after {at_rest} swaps at rest, {early} kB before them")
        if t.load.refused or t.load.unanswered:
            swaps.faults.append(f"{t.load.refused} requests were refused, {t.load.unanswered} not answered")
        pauses = sorted(swaps.pauses) or [0]
        words = (f"lane pause p50 {pauses[len(pauses) // 2]} us, p99 {pauses[len(pauses) * 99 // 100]} us, most {pauses[-1]} us; "
                 f"{early} kB before {at_rest} swaps at rest, {late} kB after them")
        return t.close_books(f"{swaps.done} swaps of {count + at_rest}", swaps.faults, lambda audit: ([], words))


if __name__ == "__main__":
    sys.exit(main())
