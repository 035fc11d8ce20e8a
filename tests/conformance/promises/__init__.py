"""The promises of the runtime's semantics, a function each, a module for each chapter.

`@promise()` registers a function: its name is the promise's, its docstring the sentence that it shows.

  live    the default: runs beside others in the column's shared world, on keys of its own
  alone   runs by itself in the shared world, because it stops or kills hosts or servers
  own     makes worlds of its own, with other settings

An `unless` says on which columns a sentence speaks of something that does not exist there, and what.
"""

import importlib

CHAPTERS = ["events", "subscriptions", "transactions", "outbox", "dedupe", "failures", "calls", "idempotency", "jobs",
            "sagas", "replay", "limits"]
REGISTERED = []


class Promise:
    def __init__(self, keep, stage, unless):
        self.keep, self.stage, self.unless = keep, stage, unless
        self.chapter = keep.__module__.rsplit(".", 1)[-1]
        self.name = f"{self.chapter}.{keep.__name__}"
        self.sentence = " ".join((keep.__doc__ or "").split())
        if not self.sentence:
            raise ValueError(f"{self.name} states no sentence")


def promise(stage="live", unless=lambda column: None):
    def register(keep):
        REGISTERED.append(Promise(keep, stage, unless))
        return keep

    return register


def local_bus(what):
    """For `unless`: what the local bus does not have."""
    return lambda column: what if column.bus == "local" else None


def one_process(column):
    """For `unless`: a local bus inside the one process."""
    alone = column.bus == "local" and len(column.names()) == 1
    return "a bus inside the one process is never unreachable to it" if alone else None


def broker(what):
    """For `unless`: what is the broker's own affair."""
    return lambda column: what if column.bus == "kafka" else None


def load():
    for chapter in CHAPTERS:
        importlib.import_module(f"promises.{chapter}")
    return REGISTERED
