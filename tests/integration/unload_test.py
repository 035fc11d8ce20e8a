"""Every plugin is loaded and unloaded again and again, and so is one, built by two compilers with and without optimisation, that is
full of what pins a library built without care: each time it leaves the process, and memory does not grow.

Arguments: LOAD_CYCLES PLUGIN_DIR BUILD_DIR GANTRY, then optionally the number of cycles
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from shop import Report

report = Report()
CYCLES, SHOP_PLUGINS, BUILD, GANTRY = sys.argv[1:5]
COUNT = int(sys.argv[5]) if len(sys.argv) > 5 else 10_000 if os.environ.get("GANTRY_LONG") == "1" else 100
SOURCE = pathlib.Path(__file__).resolve().parent / "pins"
WAYS = [("g++", "-O0"), ("g++", "-O2"), ("clang++", "-O0"), ("clang++", "-O2")]


def run(name, *command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if " cycles, " in line:
            print(f"   {line}", flush=True)
    return report.check(name, done.returncode == 0, (done.stdout + done.stderr)[-3000:])


def cycle(name, plugins, folder):
    state = folder / "state"
    run(name, CYCLES, plugins, state, COUNT)
    shutil.rmtree(state, ignore_errors=True)


def main():
    with tempfile.TemporaryDirectory(prefix="gantry-unload-") as name:
        folder = pathlib.Path(name)
        cycle("the shop's plugins", SHOP_PLUGINS, folder)
        if run("the SDK installs alone", "cmake", "--install", BUILD, "--component", "sdk", "--prefix", folder / "sdk"):
            for compiler, level in WAYS:
                what = f"{compiler} {level}"
                build = folder / f"build-{compiler}{level}"
                if run(f"{what} builds it", "cmake", "-S", SOURCE, "-B", build, f"-DCMAKE_PREFIX_PATH={folder / 'sdk'}",
                       f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={level}") and \
                        run(f"{what} links it", "cmake", "--build", build):
                    run(f"{what}: nothing to fear", GANTRY, "inspect", build / "plugins/pins.so")
                    cycle(f"{what}: it goes each time", build / "plugins", folder)
    report.end()


if __name__ == "__main__":
    main()
