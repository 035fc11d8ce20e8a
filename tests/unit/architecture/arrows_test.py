#!/usr/bin/env python3
"""Checks who includes whom: the arrows that keep the rooms apart. Reads sources only; builds and runs nothing.

Usage: arrows_test.py ROOT     prints every violation as file:line: what was found, what was expected; 0 when there is none
"""

import pathlib
import re
import sys

SOURCES = {".cpp", ".hpp", ".c", ".h", ".in"}
TEXTS = SOURCES | {".py", ".sh", ".cmake", ".txt", ".yaml", ".sql"}
AREAS = ("host", "sdk", "plugins", "tests", "config", "deploy")

# Where a library may show: its headers begin so, and only files below these folders include them. What a test does to
# its room it may do with the room's library.
LIBRARIES = {
    "pistache/": ("host/http",),
    "librdkafka/": ("host/bus/kafka",),
    "pqxx/": ("host/store/postgres",),
    "libpq-fe.h": ("host/store/postgres",),
    "yaml-cpp/": ("host/topology",),
    "CLI/": ("host/cli",),
    "spdlog/": ("host/observability",),
    "boost/dll": ("host/loader",),
    "boost/json": ("host/topology", "host/loader", "host/plan", "host/cli", "host/supervisor"),
    "boost/asio": ("host/call",),
    "boost/beast": ("host/call",),
    "sqlite3.h": ("host/store/sqlite", "sdk/testing"),
    "sodium.h": ("host/loader", "host/runtime/idempotency.cpp"),  # signatures; the hash of idempotency keys
    "libelf.h": ("host/loader", "sdk/tools"),
    "gelf.h": ("host/loader", "sdk/tools"),
    "openssl/": ("host/http",),  # call/remote has it by Boost.Asio
    "gtest/": (),
    "gmock/": (),
    "rapidcheck": (),
    "benchmark/": (),
}
TEST_ONLY = ("gtest/", "gmock/", "rapidcheck", "benchmark/")
# A plugin talks to the world with these, at its edges: never in the folders that decide, store or answer.
PLUGIN_LIBRARIES = ("boost/asio", "boost/beast", "openssl/")
PLUGIN_INNER = ("domain", "api", "events", "store")

# Rooms of the host, and whose headers each may include. jobs and runtime are one build: a job's end is a write of its
# lane. The loader reads what topology says about plugins, and topology checks what the loader's manifests say.
ROOMS = {
    "base": set(),
    "blackbox": {"base"},
    "topology": {"base", "loader"},
    "loader": {"base", "topology"},
    "observability": {"base"},
    "http": {"base"},
    "bus": {"base"},
    "store": {"base"},
    "call": {"base"},
    "outbox": {"base", "bus", "store"},
    "jobs": {"base", "blackbox", "bus", "store", "call", "observability", "runtime"},
    "runtime": {"base", "blackbox", "bus", "store", "call", "observability", "outbox", "jobs"},
    "lifecycle": {"base", "bus", "store", "call", "observability", "topology", "loader", "runtime", "jobs"},
    "plan": {"base", "lifecycle", "loader", "store", "topology"},
    "supervisor": {"base", "blackbox", "observability", "topology", "lifecycle"},
    "admin": {"base", "bus", "http", "jobs", "lifecycle", "loader", "observability", "plan", "runtime", "store",
              "supervisor", "topology"},
    "app": {"admin", "base", "blackbox", "bus", "call", "http", "lifecycle", "loader", "observability", "runtime", "store",
            "supervisor", "topology"},
    "cli": {"app", "base", "blackbox", "call", "http", "lifecycle", "loader", "observability", "plan", "supervisor",
            "topology"},
}
DRIVERS = ("bus/local/", "bus/kafka/", "bus/socket/", "store/sqlite/", "store/postgres/")

# The SDK's headers that are plain values, good for rules that touch nothing outside.
VALUE_HEADERS = {"gantry/json.hpp", "gantry/json_writer.hpp", "gantry/time.hpp", "gantry/failure.hpp", "gantry/saga.hpp"}
IO_HEADERS = {"fstream", "filesystem", "iostream", "thread", "mutex", "condition_variable", "future", "random", "unistd.h",
              "fcntl.h", "netdb.h", "signal.h", "dlfcn.h"}
IO_CALL = re.compile(r"(::now\(|\bfopen\(|\bgetenv\(|\bstd::(cout|cerr|clog)\b|\bf?printf\(|\brandom_device\b)")

C_HEADERS = {"assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h",
             "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "time.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")


def standard(header):
    """A header of C++ (no dot, no folder) or of C."""
    return ("." not in header and "/" not in header) or header in C_HEADERS


def under(path, folder):
    return path == folder or path.startswith(folder + "/")


def library_of(header):
    return next((name for name in LIBRARIES if header.startswith(name)), None)


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.violations = []

    def run(self):
        for area in AREAS:
            for file in sorted((self.root / area).rglob("*")):
                if file.is_file() and file.suffix in TEXTS and "__pycache__" not in file.parts:
                    self.check(file)
        return self.violations

    def check(self, file):
        path = file.relative_to(self.root).as_posix()
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            def report(text):
                self.violations.append(f"{path}:{number}: {text}")

            self.check_line(path, line, report)
            found = INCLUDE.match(line) if file.suffix in SOURCES else None
            if found:
                self.check_include(file, path, found[1] == '"', found[2], report)

    def check_line(self, path, line, report):
        if UNFINISHED.search(line) and "NOLINT" not in line:
            report("unfinished work is noted here: do it, or drop it")
        parts = path.split("/")
        in_unit_test = under(path, "tests/unit") or (parts[0] == "plugins" and "tests" in parts)
        if in_unit_test and SLEEP.search(line):
            report("a test sleeps: wait for what should happen, or set the clock")
        if parts[0] == "plugins" and parts[2:3] == ["domain"] and IO_CALL.search(line):
            found = IO_CALL.search(line)[0].rstrip("(")
            report(f"{found}: domain/ does no I/O and asks for no time or chance: expected values passed in")
        if parts[-1] == "CMakeLists.txt" and not line.lstrip().startswith("#"):
            if parts[0] == "plugins" and "gantry_host_" in line:
                report("a plugin links a room of the host")
            if parts[0] == "host" and parts[1] != "app":
                for driver in DRIVERS:
                    target = "gantry_host_" + driver.rstrip("/").replace("/", "_")
                    if target in line and not under(path, "host/" + driver.rstrip("/")):
                        report(f"{target} is linked outside host/app")

    def check_include(self, file, path, quoted, header, report):
        area = path.split("/")[0]
        if area == "host":
            self.check_host(file, path, quoted, header, report)
        elif area == "plugins":
            self.check_plugin(file, path, quoted, header, report)
        elif under(path, "sdk/include"):
            self.check_sdk_header(path, header, report)
        if area != "plugins" and not under(path, "sdk/include"):
            self.check_library(path, quoted, header, report)

    def check_library(self, path, quoted, header, report):
        library = library_of(header)
        if path.startswith("tests/") or "/tests/" in path:
            return
        if library is None:
            if not quoted and header.startswith("boost/"):
                report(f"{header}: a library without a room of its own: give it one in LIBRARIES")
            return
        if library in TEST_ONLY:
            report(f"{header}: only tests use this library")
        elif not any(under(path, room) for room in LIBRARIES[library]):
            report(f"{header} shows here: expected only in {', '.join(LIBRARIES[library]) or 'plugins'}")

    def check_host(self, file, path, quoted, header, report):
        if header.startswith("gantry/"):
            if not header.startswith("gantry/abi/"):
                report(f"{header}: the host includes only gantry/abi/ of the SDK")
            return
        if not quoted:
            return
        if header.startswith(("plugins/", "sdk/", "host/", "tests/")) or ".." in header.split("/"):
            report(f"{header}: the host includes its own rooms only, by their path below host/")
            return
        for driver in DRIVERS:
            if header.startswith(driver) and not under(path, "host/" + driver.rstrip("/")) and not under(path, "host/app"):
                report(f"{header}: only host/app names a driver")
        here, there = path.split("/")[1], header.split("/")[0]
        if here == there or path == "host/main.cpp" or "/" not in header:
            return
        if there not in ROOMS:
            report(f"{header}: no such room in host/")
        elif here in ROOMS and there not in ROOMS[here]:
            report(f"{header}: {here}/ includes {there}/: expected only {', '.join(sorted(ROOMS[here])) or 'nothing'}")

    def check_plugin(self, file, path, quoted, header, report):
        parts = path.split("/")
        if len(parts) < 3:
            return
        own, inner = (self.root / "plugins" / parts[1]).resolve(), parts[2]
        in_tests = "tests" in parts[2:-1]
        if header.startswith("gantry/"):
            if header.startswith("gantry/detail/"):
                report(f"{header}: inside of the SDK: expected a header of gantry/")
            if header.startswith("gantry/testing/") and not in_tests:
                report(f"{header}: only tests use the fake host")
            if inner == "domain" and header not in VALUE_HEADERS:
                report(f"{header}: domain/ knows only the SDK's values: {', '.join(sorted(VALUE_HEADERS))}")
            return
        if quoted:
            places = [own / header, file.parent / header]
            found = next((p.resolve() for p in places if p.exists() or p.with_name(p.name + ".in").exists()), None)
            if found is None or not found.is_relative_to(own):
                report(f"{header}: a plugin includes its own folder, gantry/, the standard library and libraries")
            elif inner == "domain" and not found.is_relative_to((own / "domain").resolve()):
                report(f"{header}: domain/ includes only domain/")
            return
        library = library_of(header)
        if library is not None and not (in_tests and library in TEST_ONLY):
            if library not in PLUGIN_LIBRARIES:
                report(f"{header}: a driver or a library of the host, which a plugin never includes")
            elif inner in PLUGIN_INNER:
                report(f"{header} shows in {inner}/: expected in a folder of its own at the plugin's edge")
        if inner == "domain" and (header in IO_HEADERS or not standard(header)):
            report(f"<{header}>: domain/ does no I/O")

    def check_sdk_header(self, path, header, report):
        if under(path, "sdk/include/gantry/abi"):
            if not header.startswith("gantry/abi/") and header not in C_HEADERS:
                report(f"{header}: the ABI includes only the ABI and C's own headers")
        elif not header.startswith("gantry/") and not standard(header):
            report(f"{header}: public headers of the SDK include no library")


def main():
    if len(sys.argv) != 2 or not (pathlib.Path(sys.argv[1]) / "host").is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    violations = Checker(sys.argv[1]).run()
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations" if violations else "all arrows are as they should be")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
