"""Where the tree is, and what other tests' harnesses give."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("tests", "tests/chaos", "tests/integration")]
