#!/usr/bin/env python3
"""Keeps every promise of the runtime's semantics on every column, and prints the matrix.

  conformance.py --gantry BIN --plugins DIR --shop-plugins DIR [--columns a,b] [--only TEXT] [--keep]

Ends with 0 when every promise holds on every column that was asked for, and all columns ran the same plugin files.
"""

import argparse
import concurrent.futures
import hashlib
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import traceback

import promises
from columns import COLUMNS
from harness import World
from servers import Servers

OK, FAILED, NOTHING = "ok", "FAILED", "-"


class Run:
    """What all columns share: arguments, results, the folder."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.gantry = pathlib.Path(args.gantry).resolve()
        self.plugin_dirs = [pathlib.Path(args.plugins).resolve(), pathlib.Path(args.shop_plugins).resolve()]
        self.lock = threading.Lock()
        self.results = {}  # (promise, column) -> (verdict, text, seconds)
        self.digests = {}  # column -> file -> sha256

    def note(self, promise, column, verdict, text="", seconds=0.0):
        with self.lock:
            self.results[promise.name, column.name] = (verdict, text, seconds)
            if verdict == FAILED:
                print(f"FAILED {promise.name} on {column.name}: {text.splitlines()[0][:500] if text else ''}", flush=True)

    def files_in(self):
        """What the hosts load, read again for each column."""
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for d in self.plugin_dirs for p in sorted(d.glob("*.so"))}


class ColumnRun:
    def __init__(self, run, column, chosen):
        self.run, self.column = run, column
        self.chosen = []
        for p in chosen:
            without = p.unless(column)
            if without:
                run.note(p, column, NOTHING, without)
            else:
                self.chosen.append(p)
        self.servers = None

    def stage(self, name):
        return [p for p in self.chosen if p.stage == name]

    def keep(self, promise, *on):
        began = time.monotonic()
        try:
            promise.keep(*on)
            for world in on:
                if isinstance(world, World):
                    world.check_deaths()
        except Exception as why:  # one broken promise says nothing about the next
            text = f"{why}" if isinstance(why, AssertionError) else f"{type(why).__name__}: {why}\n{traceback.format_exc()}"
            self.run.note(promise, self.column, FAILED, text, time.monotonic() - began)
        else:
            self.run.note(promise, self.column, OK, "", time.monotonic() - began)

    def make(self, label, **how):
        return World(self.run, self.column, self.servers, label, **how)

    def shared(self):
        live, alone = self.stage("live"), self.stage("alone")
        if not live + alone:
            return
        try:
            with self.make("shared") as world:
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    list(pool.map(lambda p: self.keep(p, world), live))
                for p in alone:
                    self.keep(p, world)
        except Exception as why:  # the world itself did not come up, or a host of it died at its end
            untold = [p for p in live + alone if (p.name, self.column.name) not in self.run.results]
            for p in untold or (live + alone)[-1:]:
                self.run.note(p, self.column, FAILED, f"the world of all of them: {why}")

    def all(self):
        began = time.monotonic()
        folder = self.run.folder / self.column.name
        folder.mkdir()
        try:
            self.run.digests[self.column.name] = self.run.files_in()
            self.servers = Servers(self.column, folder)
            self.shared()
            # Worlds on one broker would share its topics; on local buses they have nothing in common.
            with concurrent.futures.ThreadPoolExecutor(1 if self.column.bus == "kafka" else 3) as pool:
                list(pool.map(lambda p: self.keep(p, self.make), self.stage("own")))
            if self.run.files_in() != self.run.digests[self.column.name]:
                raise AssertionError("a plugin's file has changed while the column ran")
        except Exception as why:  # servers that do not start
            for p in self.chosen:
                if (p.name, self.column.name) not in self.run.results:
                    self.run.note(p, self.column, FAILED, f"{type(why).__name__}: {why}")
        finally:
            if self.servers:
                self.servers.remove()
        print(f"-- {self.column.name}: {time.monotonic() - began:.0f} s", flush=True)


def print_matrix(run, chosen, columns):
    width = max(len(p.name) for p in chosen)
    print("\n" + "promise".ljust(width) + "".join(f"  {c.name}" for c in columns))
    for p in chosen:
        cells = [run.results.get((p.name, c.name), (FAILED, "", 0))[0].ljust(len(c.name)) for c in columns]
        print(p.name.ljust(width) + "".join("  " + cell for cell in cells))
    counts = {v: sum(1 for r in run.results.values() if r[0] == v) for v in (OK, FAILED, NOTHING)}
    print(f"\n{counts[OK]} kept, {counts[FAILED]} broken, {counts[NOTHING]} speak of nothing that is there")
    reasons = sorted({(p.name, run.results[p.name, c.name][1]) for p in chosen for c in columns
                      if run.results.get((p.name, c.name), ("",))[0] == NOTHING})
    for name, text in reasons:
        print(f"  - {name}: {text}")
    for p in chosen:
        for c in columns:
            verdict, text, _ = run.results.get((p.name, c.name), (FAILED, "did not run", 0))
            if verdict == FAILED:
                print(f"\nFAILED {p.name} on {c.name}\n  promised: {p.sentence}\n  {text[:3000]}")
    if run.args.times:
        for (name, column), (_, _, seconds) in sorted(run.results.items(), key=lambda r: -r[1][2])[:25]:
            print(f"{seconds:7.1f} s  {name} on {column}")


def print_digests(run, columns):
    """True when all columns ran the same files."""
    sets = [run.digests.get(c.name) for c in columns]
    print("\nsha256 of the plugin files, " + ("the same in all columns" if all(s == sets[0] for s in sets) else "WHICH DIFFER"))
    for name, digest in (sets[0] or {}).items():
        print(f"  {digest}  {name}")
    return all(s == sets[0] for s in sets)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gantry", required=True, help="the host's program")
    parser.add_argument("--plugins", required=True, help="the folder of the suite's plugins")
    parser.add_argument("--shop-plugins", required=True, help="the folder of the shop's plugins")
    names = ",".join(c.name for c in COLUMNS)
    parser.add_argument("--columns", default=names, help="comma separated, of " + names)
    parser.add_argument("--only", default="", help="only promises whose name contains this, or one of these, comma separated")
    parser.add_argument("--parallel", type=int, default=3, help="columns at a time")
    parser.add_argument("--times", action="store_true", help="say what took longest")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    parser.add_argument("--list", action="store_true", help="only list the promises")
    args = parser.parse_args()
    chosen = [p for p in promises.load() if any(text in p.name for text in args.only.split(","))]
    if args.list:
        for p in chosen:
            print(f"{p.name}\n    {p.sentence}")
        return 0
    wanted = args.columns.split(",")
    unknown = set(wanted) - {c.name for c in COLUMNS}
    if unknown or not chosen:
        parser.error(f"unknown columns: {', '.join(unknown)}" if unknown else f"no promise has {args.only} in its name")
    columns = [c for c in COLUMNS if c.name in wanted]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="gantry-conformance-"))
    run = Run(args, folder)
    began = time.monotonic()
    print(f"{len(chosen)} promises on {len(columns)} columns, in {folder}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(args.parallel) as pool:
        list(pool.map(lambda c: ColumnRun(run, c, chosen).all(), columns))
    print_matrix(run, chosen, columns)
    same = print_digests(run, columns)
    good = same and all(run.results.get((p.name, c.name), (FAILED,))[0] != FAILED for p in chosen for c in columns)
    print(f"{'kept' if good else 'BROKEN'}: {len(chosen)} promises, {len(columns)} columns, {time.monotonic() - began:.0f} s")
    if good and not args.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
