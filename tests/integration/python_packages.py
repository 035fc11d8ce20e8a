"""Runs the calling program again in a virtual environment with the packages of requirements.txt, made once and kept in
$XDG_CACHE_HOME/gantry (default ~/.cache/gantry). Called by itself it only makes the environment, as deploy/install.sh does."""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import venv

SKIPPED = 77  # what CTest takes for a test that could not be told
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")


def environment():
    """The interpreter of the environment, which is there afterwards."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gantry"
    cache.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / f"python-{mark}"
    with open(cache / "python.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
                            "--retries", "2", "--timeout", "30", "-r", REQUIREMENTS], check=True)
            (folder / "complete").touch()
    return folder / "bin/python"


def run_there():
    """Comes back only in the environment; where it can't be made, the program ends as skipped."""
    if os.environ.get("GANTRY_TEST_PYTHON") == sys.prefix:
        return
    try:
        python = environment()
    except (OSError, subprocess.CalledProcessError) as why:
        print(f"SKIPPED: this machine has not the packages of {REQUIREMENTS}, and they can't be fetched: {why}", flush=True)
        sys.exit(SKIPPED)
    prefix = str(python.parent.parent)
    os.execve(python, [str(python), "-B", *sys.argv], {**os.environ, "GANTRY_TEST_PYTHON": prefix})


if __name__ == "__main__":
    environment()
