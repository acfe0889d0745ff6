"""Wherever the command is started, it works or says what is wrong in one line."""

from __future__ import annotations

import errno
import json
import locale
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from graphsched.cli.main import main
from tests.surroundings.writers import complaints

ROOT = Path(__file__).resolve().parents[2]
SPT = ("solve", "jobshop", "ft06", "--baseline", "spt")
EVAL = ("eval", "jobshop", "--instances", "ft06", "--policy", "none", "--baselines", "spt,mwkr")
KERNEL = ("allocate", "a.csv", "--allocators", "first-fit size")  # compiles one kernel
BUFFERS = "id,lower,upper,size\na,0,3,4\nb,3,9,4\n"
NOBODY = 65534
PROGRAM = """
import sys
from graphsched.cli.main import main
sys.exit(main())
"""
# Imported by Python before anything else: interrupts when a module is asked for.
INTERRUPTING = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""

skip_unless_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="becomes another user"
)


def start(
    *words: str,
    flags: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
    cwd: Path | None = None,
    out: object = subprocess.PIPE,
    **environment: str | None,
) -> subprocess.Popen[str]:
    """Start the command; an environment variable of None is left out."""
    usual = {"PYTHONDONTWRITEBYTECODE": None, "PYTHONUNBUFFERED": None}
    wanted = {"PYTHONPATH": str(ROOT), **usual, **environment}
    settings = {k: v for k, v in {**os.environ, **wanted}.items() if v is not None}
    process: subprocess.Popen[str] = subprocess.Popen(
        [*before, sys.executable, *flags, "-m", "graphsched", *words],
        cwd=cwd,
        env=settings,
        stdout=out,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
    )
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    """Status, output, and lines of the error stream but those that tell of compiling."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out or "", complaints(err)


def run(*words: str, **how: object) -> tuple[int, str, list[str]]:
    """`finish` of `start`."""
    return finish(start(*words, **how))  # type: ignore[arg-type]


def works(found: tuple[int, str, list[str]], lines: int = 0) -> str:
    """The output of a command that worked and said so many lines on the error stream."""
    status, out, told = found
    assert (status, len(told)) == (0, lines), found
    return out


def refuses(found: tuple[int, str, list[str]]) -> str:
    """The one line of a command that didn't."""
    status, _, told = found
    assert status == 2, found
    assert len(told) == 1, found
    return told[0]


def test_without_a_home() -> None:
    found = run(*SPT, HOME=None, XDG_CACHE_HOME=None)
    works(found, len(found[2]))
    assert len(found[2]) <= 1


@skip_unless_root
def test_as_a_user_who_may_write_nowhere(tmp_path: Path) -> None:
    """Neither the kernels nor the working directory."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    base = Path(tempfile.gettempdir()).resolve()
    for folder in tmp_path.resolve().parents:
        if folder.is_relative_to(base) and folder != base:
            folder.chmod(0o755)  # pytest's own are closed to others
    tmp_path.chmod(0o755)
    before = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    how = {"before": before, "cwd": locked, "HOME": "/nonexistent", "NUMBA_DISABLE_JIT": "1"}
    found = run(*SPT, **how)
    if found[0] == 126 or (found[0] == 1 and "No module named" in found[2][-1]):
        pytest.skip("the installation is hidden from other users")
    assert "makespan" in works(found)
    assert "x.json: can't write there: Permission denied" in refuses(
        run(*SPT, "--out", "x.json", **how)
    )
    assert "Permission denied" in refuses(run(*EVAL, "--out", "e", **how))


def test_an_installation_that_cant_be_written_to(tmp_path: Path) -> None:
    """Bound read-only where the machine lets a test do that."""
    mounts = f"mount --bind {ROOT} {ROOT} && mount -o remount,ro,bind {ROOT} && "
    before = ("unshare", "-m", "sh", "-c", f'{mounts}exec "$@"', "sh")
    try:
        tried = subprocess.run([*before, "touch", str(ROOT / "x")], capture_output=True)
    except OSError:
        pytest.skip("may not bind a folder")
    if b"Read-only" not in tried.stderr:
        (ROOT / "x").unlink(missing_ok=True)
        pytest.skip("may not bind a folder")
    works(run(*SPT, "--out", "s.json", before=before, cwd=tmp_path))
    assert json.loads((tmp_path / "s.json").read_text())


def test_folders_that_cant_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As some network file systems refuse it."""
    sync = os.fsync

    def refuse(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.chdir(tmp_path)
    assert main([*EVAL, "--out", "e"]) == 0
    assert main([*SPT, "--out", "s.json"]) == 0
    assert "error" not in capsys.readouterr().err


def _damaged(data: bytes, how: str) -> bytes:
    half = len(data) // 2
    return {
        "empty": b"",
        "cut": data[:half],
        "zeros": bytes(len(data)),
        "a block of zeros": data[:half] + bytes(2000) + data[half + 2000 :],
        "garbage": b"graphsched" * 99,
    }[how]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one kernel in it."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "a.csv").write_text(BUFFERS)
    works(run(*KERNEL, cwd=folder, NUMBA_CACHE_DIR=str(folder / "cache")))
    return folder


@pytest.mark.compiled
@pytest.mark.parametrize(
    "how",
    [
        "cut",
        "a block of zeros",
        *(pytest.param(how, marks=pytest.mark.slow) for how in ("empty", "zeros", "garbage")),
    ],
)
def test_damaged_kernels_are_compiled_again(kernels: Path, tmp_path: Path, how: str) -> None:
    """Once, and LLVM doesn't get to see them: it would end the process."""
    shutil.copytree(kernels, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.nbc"):
        path.write_bytes(_damaged(path.read_bytes(), how))
    if how in ("cut", "zeros"):
        for path in (tmp_path / "copy").rglob("*.nbi"):
            path.write_bytes(_damaged(path.read_bytes(), how))
    cache = str(tmp_path / "copy" / "cache")
    assert "first-fit" in works(run(*KERNEL, cwd=kernels, NUMBA_CACHE_DIR=cache))
    again = start(*KERNEL, cwd=kernels, NUMBA_CACHE_DIR=cache)
    assert again.communicate(timeout=100)[1] == ""
    assert again.returncode == 0


@pytest.mark.compiled
@pytest.mark.parametrize(
    "options", ["ro", "size=16k", pytest.param("nr_inodes=2", marks=pytest.mark.slow)]
)
def test_a_cache_that_is_full_or_read_only(kernels: Path, tmp_path: Path, options: str) -> None:
    """One line at most."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a file system")
    try:
        found = run(*KERNEL, cwd=kernels, NUMBA_CACHE_DIR=str(disk))
        assert "first-fit" in works(found, 1)
        assert "compiled kernels" in found[2][0]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    """Holds for all that a command writes."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(umask)
    try:
        assert main([*EVAL, "--out", "new/e"]) == 0
    finally:
        os.umask(before)
    for path in (tmp_path / "new").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask


@pytest.mark.parametrize("name", ["a b", "ünïcödé 排程", "-x", "a'b\"c$d", "[x]", "%s{0}", "~"])
def test_names_of_folders_and_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """For the working directory, what is read and what is written."""
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / f"{name}.txt").write_text("2 2\n0 3 1 2\n1 2 0 4\n")
    solve = ["solve", "jobshop", f"./{name}.txt", "--baseline", "spt"]
    assert main([*solve, f"--out={name}/s.json", f"--gantt={name}/s.html"]) == 0
    assert main(["check", "jobshop", f"./{name}.txt", f"./{name}/s.json"]) == 0
    assert main([*EVAL, f"--out={name}/e"]) == 0
    assert (folder / name / "e" / "report.html").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_that_bears_a_policy_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It works, or one line names it."""
    monkeypatch.chdir(tmp_path)
    for name in ("default", "spt", "ft06", "jobshop"):
        (tmp_path / name).mkdir()
    assert main(list(SPT)) in (0, 2)
    assert len(complaints(capsys.readouterr().err)) <= 1
    status = main(["solve", "jobshop", "ft06", "--policy", "default"])
    lines = complaints(capsys.readouterr().err)
    assert (status, len(lines)) in ((0, 0), (2, 1)), lines
    assert all("default" in line for line in lines)


@pytest.mark.parametrize("flag", ["-O", pytest.param("-OO", marks=pytest.mark.slow)])
def test_without_assertions(tmp_path: Path, flag: str) -> None:
    """Checkers go on refusing: none relies on `assert`."""
    how = {"flags": (flag,), "cwd": tmp_path, "NUMBA_DISABLE_JIT": "1"}
    how["PYTHONDONTWRITEBYTECODE"] = "1"  # or each library would be there twice
    works(run(*SPT, "--out", "s.json", **how))
    document = json.loads((tmp_path / "s.json").read_text())
    for operation in next(value for value in document.values() if isinstance(value, list)):
        operation["start"] = 0
    (tmp_path / "s.json").write_text(json.dumps(document))
    status, out, told = run("check", "jobshop", "ft06", "s.json", **how)
    assert (status, told) == (1, [])
    assert "overlap" in out or "before" in out, out


def test_the_order_of_sets_doesnt_matter(tmp_path: Path) -> None:
    """The same bytes for any seed of Python's hashes."""
    seeds = ("0", "1", "random")
    words = ("solve", "soc", "canonical", "--baseline", "heft", "--out")
    for seed in seeds:
        works(run(*words, f"{seed}.json", cwd=tmp_path, PYTHONHASHSEED=seed))
    assert len({(tmp_path / f"{seed}.json").read_bytes() for seed in seeds}) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1", "COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow),
        pytest.param({"COLUMNS": "1", "TERM": None}, marks=pytest.mark.slow),
        pytest.param({"COLUMNS": "x", "LINES": "-1"}, marks=pytest.mark.slow),
    ],
    ids=lambda settings: "-".join(f"{name}={value}" for name, value in settings.items()),
)
def test_locales_and_terminals(tmp_path: Path, settings: dict[str, str | None]) -> None:
    """Letters and columns that aren't there keep nobody from working; `list` has an umlaut."""
    assert works(run("list", **settings))
    assert "mwkr" in works(run(*EVAL, "--out", "e", cwd=tmp_path, **settings))
    report = (tmp_path / "e" / "report.html").read_text(encoding="utf-8")
    assert report.rstrip().endswith("</html>")


def test_decimal_commas() -> None:
    """A locale changes neither what is read nor what is written."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
    except locale.Error:
        pytest.skip("no such locale here")
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert "60.00%" in works(run(*SPT, LC_ALL="de_DE.UTF-8"))


PRINTING = [
    ("--help",),
    SPT,
    *(pytest.param(w, marks=pytest.mark.slow) for w in (("list",), ("solve", "--help"), EVAL)),
]


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_reader_that_leaves(words: tuple[str, ...]) -> None:
    """As ``| head -1`` does: no line, whether it leaves before or after the first output."""
    reading, writing = os.pipe()
    process = start(*words, out=writing)
    os.close(writing)
    os.close(reading)
    assert finish(process) == (0, "", [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_full_output_is_one_line(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        assert "No space left on device" in refuses(run(*words, out=full))


@pytest.mark.parametrize(
    "closed",
    [">&-", "<&- >&- 2>&-", *(pytest.param(c, marks=pytest.mark.slow) for c in ("<&-", "2>&-"))],
)
def test_closed_streams(tmp_path: Path, closed: str) -> None:
    """What is written goes to its file, not into the output's place."""
    before = ("sh", "-c", f'exec "$@" {closed}', "sh")
    works(run(*SPT, "--out", "s.json", before=before, cwd=tmp_path))
    assert isinstance(json.loads((tmp_path / "s.json").read_text()), dict)


@pytest.mark.parametrize("closed", ["2>/dev/full", "2>&-"])
def test_errors_that_nobody_can_be_told_of(closed: str) -> None:
    """The status says it."""
    before = ("sh", "-c", f'exec "$@" {closed}', "sh")
    assert run("nope", before=before) == (2, "", [])


def test_without_compiled_kernels() -> None:
    assert works(run(*SPT, NUMBA_DISABLE_JIT="1")).startswith("ft06: makespan 88 by spt")


MODULES = ("gymnasium", "numpy.linalg", "graphsched.cli.main", "numba.core.types", "tyro")


@pytest.mark.parametrize("module", MODULES)
def test_an_interrupt_while_importing_is_one_line(tmp_path: Path, module: str) -> None:
    """Before the command line is there, and while its commands are imported."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    status, out, told = run(*SPT, PYTHONPATH=paths, INTERRUPT_AT=module)
    assert (out, told) == ("", ["graphsched: interrupted"])
    assert status in (130, -signal.SIGINT)  # the latter where it came in an `exec` of text


def test_the_script_that_pip_makes_is_interrupted_quietly_too(tmp_path: Path) -> None:
    """And a program that imports the package is not ended: it gets its KeyboardInterrupt."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING)
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    settings = {**os.environ, "PYTHONPATH": paths, "INTERRUPT_AT": "gymnasium"}
    for name, expected in (
        ("graphsched", "graphsched: interrupted"),
        ("other", "KeyboardInterrupt"),
    ):
        (tmp_path / name).write_text(PROGRAM)
        words = [sys.executable, str(tmp_path / name), "--help"]
        done = subprocess.run(words, env=settings, capture_output=True, text=True, check=False)
        told = done.stderr.splitlines()
        assert told[-1] == expected
        assert (len(told) == 1) == (name == "graphsched")


# Is interrupted where Python can't raise.
LOSING = """
import os, signal, sys, time
import graphsched.cli.commands.bench as bench
from graphsched.cli.main import main
class Loses:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
def work(words):
    thing = Loses()
    del thing
    time.sleep(30)
bench.main = work
sys.exit(main(["bench"]))
"""


def test_an_interrupt_that_python_would_lose_comes_again() -> None:
    """As one in a callback of LLVM's, while a kernel is compiled, was."""
    words = [sys.executable, "-c", LOSING]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.splitlines() == ["graphsched: interrupted"]


@pytest.mark.compiled
@pytest.mark.parametrize(
    "delay", [0.3, *(pytest.param(d, marks=pytest.mark.slow) for d in (0.0, 0.1, 0.2, 0.5, 0.8))]
)
def test_an_interrupt_while_compiling_is_one_line(
    kernels: Path, tmp_path: Path, delay: float
) -> None:
    """And the next process compiles, or finds, whole kernels."""
    process = start(*KERNEL, cwd=kernels, NUMBA_CACHE_DIR=str(tmp_path))
    assert process.stderr is not None
    assert process.stderr.readline().startswith("compiling")
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    status, _, told = finish(process)
    if status == 0:  # it was quicker
        assert told == []
    else:
        assert status in (130, -signal.SIGINT)
        assert told in ([], ["graphsched: interrupted"])
    works(run(*KERNEL, cwd=kernels, NUMBA_CACHE_DIR=str(tmp_path)))
