"""Signals that end a process without a word do not end a host; what stands behind them is an error like any other."""

import os
import resource
import signal
import sys

from shop import Report, Shop, eventually

report = Report()
HARMLESS = (signal.SIGXFSZ, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGIO, signal.SIGPIPE)


def ignored(gantry, plugins):
    with Shop(gantry, plugins) as shop:
        shop.start()
        for one in HARMLESS:
            for pid in (shop.process.pid, shop.pid()):
                os.kill(pid, one)
        report.check("ignored: the host serves on", shop.get("/health/live").status == 200)
        report.check("ignored: it ends well", shop.stop() == 0, shop.log[-1500:])


def file_size_limit(gantry, plugins):
    """A write beyond the limit of file sizes fails as on a full disk."""
    with Shop(gantry, plugins) as shop:
        shop.start()
        report.check("file size: takes an order before", shop.order("before").status in (201, 202))
        resource.prlimit(shop.pid(), resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        refused = eventually(lambda: shop.order("beyond").status >= 500)
        report.check("file size: an order is refused", bool(refused))
        report.check("file size: the host lives", shop.process.poll() is None and shop.get("/health/live").status == 200)


def main():
    gantry, plugins = sys.argv[1], sys.argv[2:]
    for story in (ignored, file_size_limit):
        report.story(story.__name__, lambda: story(gantry, plugins))
    report.end()


if __name__ == "__main__":
    main()
