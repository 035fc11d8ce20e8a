"""The real servers that a column needs, as deploy/servers starts them."""

import json
import os
import subprocess

import kafka_wire
from checks import PATIENCE, check, until
from shared import ROOT
from shop import variable


class Servers:
    """The broker and the database of one column."""

    def __init__(self, column, folder):
        self.folder = folder
        self.kinds = [kind for kind in ("kafka", "postgres") if kind in (column.bus, column.store)]
        for kind in self.kinds:
            self.run(kind, "start")

    def run(self, kind, verb):
        done = subprocess.run([ROOT / f"deploy/servers/{kind}.sh", verb, self.folder / kind], capture_output=True, text=True,
                              check=False, env={**os.environ, "KAFKA_HEAP": "320m"})
        check(done.returncode == 0, f"{kind}.sh {verb}: {done.stderr[-1500:]}")

    def variable(self, kind, name):
        return variable(self.folder / kind / "env", name)

    @property
    def brokers(self):
        return self.variable("kafka", "KAFKA_BOOTSTRAP")

    def kcat(self, *args, text=None):
        done = subprocess.run(["kcat", "-b", self.brokers, "-X", "socket.timeout.ms=20000", *args], input=text, text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        check(done.returncode == 0, f"kcat {' '.join(args)}: {done.stderr[-800:]}")
        return done.stdout

    def forget_topics(self, topics):
        """The next world of this column begins with empty ones."""
        names = {name + end for name in topics for end in ("", ".dlq")}
        kafka_wire.delete_topics(self.brokers, sorted(names))
        # The controller has noted it; what hosts ask is the broker.
        until("the broker knows no more of them", lambda: not names & {
            t["topic"] for t in json.loads(self.kcat("-L", "-J"))["topics"]})

    def remove(self):
        for kind in self.kinds:
            self.run(kind, "remove")
