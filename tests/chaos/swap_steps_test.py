#!/usr/bin/env python3
"""Kills the host at every step of a swap, and of one that goes back, while customers order: it comes up in the one generation that
the pointer names, and the books match."""

import os
import subprocess
import sys
import time

import trial
from swap_test import NUMBERS, TURN

FORMER, NEXT = "the former", "the next"
# Where the host dies, and in which generation it must come up. The pointer moves when probation is over.
STEPS = [("stage", FORMER), ("check", FORMER), ("load", FORMER), ("migrate", FORMER), ("start", FORMER), ("pause", FORMER),
         ("flip", FORMER), ("drain", FORMER), ("probation", FORMER), ("pointer", NEXT), ("contract", NEXT), ("retire", NEXT)]
STEPS_BACK = [("go-back", FORMER), ("back", FORMER)]


class Rounds:
    def __init__(self, t, versions):
        self.t, self.versions = t, versions
        self.at = {plugin: NUMBERS["present"] for plugin in TURN}
        self.done, self.faults = [], []

    def restart_with(self, point):
        os.environ["GANTRY_FAULT_POINT"] = f"swap.{point}"
        self.t.host.kill()
        self.t.host.start()
        self.t.host.wait_ready()

    def begin(self, plugin, file, *more):
        command = [self.t.host.binary, "swap", plugin, file, "--address", f"127.0.0.1:{self.t.host.port}", "--force", *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def check_end(self, point, plugin, file, swap, wanted):
        """The host has died at this point, and comes up as wanted."""
        text, _ = swap.communicate(timeout=120)
        if not self.t.host.died(within=60):
            self.faults.append(f"{point}: the host did not die: {text}")
            return
        os.environ.pop("GANTRY_FAULT_POINT", None)
        self.t.host.start()
        self.t.host.wait_ready()
        found = self.t.host.version(plugin)
        if found != wanted:
            self.faults.append(f"killed at {point} of a swap of {plugin} to {file}: came up as {found}, expected {wanted}")
        self.at[plugin] = found
        self.done.append(point)

    def step(self, plugin, point, which):
        name = "next" if self.at[plugin] != NUMBERS["next"] else "other"
        file = os.path.join(self.versions, name, plugin + ".so")
        self.restart_with(point)
        swap = self.begin(plugin, file, "--probation-ms", "40")
        self.check_end(point, plugin, file, swap, NUMBERS[name] if which == NEXT else self.at[plugin])

    def step_back(self, point):
        """A version that turns sick in its probation."""
        file = os.path.join(self.versions, "bad_later", "inventory.so")
        self.restart_with(point)
        swap = self.begin("inventory", file, "--probation-ms", "60000")
        while swap.poll() is None:
            try:
                self.t.host.ask("POST", "/inventory/turn-bad/health", {})
            except OSError:
                pass
            time.sleep(0.01)
        self.check_end(point, "inventory", file, swap, self.at["inventory"])


def main():
    p = trial.parser(__doc__)
    p.add_argument("--versions", required=True, help="the folder with next/, other/ and bad_later/")
    args = p.parse_args()
    with trial.Trial(args, "swap_steps") as t:
        t.host.arguments = ["--no-supervisor"]  # who would start it again by itself
        t.open_shop()
        t.load.start()
        rounds = Rounds(t, os.path.abspath(args.versions))
        # In the default run each step once, and each plugin for some of them. Payment comes after order, which reads its new event.
        plugins = TURN if trial.is_long() else ["order"]
        for plugin in plugins:
            for point, which in STEPS:
                rounds.step(plugin, point, which)
        for point, _ in STEPS_BACK:
            rounds.step_back(point)
        wanted = len(plugins) * len(STEPS) + len(STEPS_BACK)
        return t.close_books(f"killed at {len(rounds.done)} of {wanted} steps", rounds.faults)


if __name__ == "__main__":
    sys.exit(main())
