"""Runs the calling program again in a virtual environment with the packages of requirements.txt, made once and kept in
$XDG_CACHE_HOME/gantry (default ~/.cache/gantry)."""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import venv

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
                            "-r", REQUIREMENTS], check=True)
            (folder / "complete").touch()
    return folder / "bin/python"


def run_there():
    """Comes back only in the environment."""
    if os.environ.get("GANTRY_TEST_PYTHON") == sys.prefix:
        return
    python = environment()
    prefix = str(python.parent.parent)
    os.execve(python, [str(python), "-B", *sys.argv], {**os.environ, "GANTRY_TEST_PYTHON": prefix})
