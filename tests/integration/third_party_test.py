"""A stranger's plugin: the SDK is installed to a folder of its own, the tutorial's plugin is copied out of its text and built
there with find_package(Gantry), and then runs beside the shop's.

Arguments: GANTRY PLUGIN_DIR BUILD_DIR TUTORIAL
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from shop import Report, Shop, eventually

report = Report()
GANTRY, SHOP_PLUGINS, BUILD, TUTORIAL = sys.argv[1:5]


def run(name, *command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    return report.check(name, done.returncode == 0, (done.stdout + done.stderr)[-3000:])


def files_of(tutorial):
    """The files that the tutorial shows: a line with the name in backquotes, then a fenced block."""
    return dict(re.findall(r"^`([^`\n]+)`\n\n```\w+\n(.*?)^```$", pathlib.Path(tutorial).read_text(), re.M | re.S))


def manifest_of(prefix, source):
    printed = subprocess.run([prefix / "bin/gantry-manifest", source / "build/plugins/visits.so"], capture_output=True, text=True)
    return printed.stdout


def change_migrations(prefix, source):
    """A migration that comes, and goes again, comes into the plugin and goes again."""
    more, again = source / "migrations/0002_notes.sql", ("cmake", "--build", source / "build")
    before = manifest_of(prefix, source)
    more.write_text("CREATE TABLE notes (text TEXT NOT NULL);\n")
    report.check("a new migration is built in", run("it builds", *again) and manifest_of(prefix, source) != before)
    more.unlink()
    report.check("a deleted migration is gone", run("it builds without", *again) and manifest_of(prefix, source) == before,
                 manifest_of(prefix, source))


def build(folder):
    prefix, source = folder / "sdk", folder / "visits"
    shown = files_of(TUTORIAL)
    names = ("CMakeLists.txt", "migrations/0001_visits.sql", "visits.cpp")
    if not report.check("the tutorial shows its three files", all(n in shown for n in names), list(shown)):
        return None
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(shown[name])
    steps = [
        ("the SDK installs alone", "cmake", "--install", BUILD, "--component", "sdk", "--prefix", prefix),
        ("find_package(Gantry) finds it", "cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
         "-DCMAKE_BUILD_TYPE=RelWithDebInfo"),
        ("the plugin builds", "cmake", "--build", source / "build"),
        ("its own test passes", "ctest", "--test-dir", source / "build", "--output-on-failure"),
        ("its manifest can be printed", prefix / "bin/gantry-manifest", source / "build/plugins/visits.so"),
    ]
    if not all(run(*s) for s in steps):
        return None
    change_migrations(prefix, source)
    outside = [p for p in prefix.rglob("*") if p.is_file() and ("host/" in str(p.relative_to(prefix)))]
    report.check("nothing of the host is in the SDK", not outside, outside)
    return source / "build/plugins"


def use(shop):
    shop.start()
    first = shop.ask("POST", "/visits/home")
    report.check("its route writes", first.status == 200 and first.json() == {"count": 1}, first)
    unknown = shop.get("/visits/SKU-0003")
    report.check("nobody was there yet", unknown.status == 404, unknown)
    placed = shop.order("third-party", lines=[{"sku": "SKU-0003", "quantity": 1}])
    end = shop.order_ends(placed.json()["orderId"], ["Confirmed", "Cancelled"])
    report.check("the order is Confirmed", end["status"] == "Confirmed", end)

    def counted():
        answer = shop.get("/visits/SKU-0003")
        return answer if answer.status == 200 else None

    answer = eventually(counted)
    report.check("it has seen OrderConfirmed, once", answer and answer.json() == {"count": 1}, answer)
    names = [c["name"] for c in shop.get("/health/ready").json()["checks"] if c["status"] == "ok"]
    report.check("readiness knows it", "visits" in names, names)
    report.check("exits with 0", shop.stop() == 0, shop.log[-1500:])
    shop.start()
    answer = shop.get("/visits/SKU-0003")
    report.check("a restart keeps what it counted", answer.status == 200 and answer.json() == {"count": 1}, answer)
    report.check("exits with 0 again", shop.stop() == 0, shop.log[-1500:])


def main():
    with tempfile.TemporaryDirectory(prefix="gantry-third-party-") as folder:
        plugins = build(pathlib.Path(folder))
        if plugins:
            with Shop(GANTRY, [SHOP_PLUGINS, plugins], plugins=["visits: { hosts: [main], group: visits }"],
                      topics=["visit-events: { partitions: 1 }"]) as shop:
                report.story("use", lambda: use(shop))
    report.end()


if __name__ == "__main__":
    main()
