"""The rig itself: what it leaves behind."""

import os
import subprocess
import sys

import rig

# A test that makes folders as the rig does, has a child that makes one, and fails.
FAILING = """
import subprocess, sys, tempfile
import rig

def test_fails():
    tempfile.mkdtemp(prefix="majlis-test-")
    subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"], check=True)
    subprocess.run(["mktemp", "-d"], check=True)
    assert False
"""


def test_nothing_is_left_behind(tmp_path):
    scratch, tests = tmp_path / "scratch", tmp_path / "tests"
    scratch.mkdir()
    tests.mkdir()
    (tests / "test_failing.py").write_text(FAILING)
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(rig.ROOT / "Tests" / "Browser")}
    ran = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
                         env=environment, capture_output=True, text=True)
    assert ran.returncode == 1 and "1 failed" in ran.stdout, ran.stdout + ran.stderr
    assert list(scratch.iterdir()) == []
