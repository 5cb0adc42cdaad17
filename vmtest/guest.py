"""A guest with two NUMA nodes (CPU 0 on node 0, CPU 1 on node 1), the host's root file system underneath, read-only.

By hand: ``scripts/vm newest COMMAND`` runs a shell command as root under that kernel, from the top of the tree.
Its output, exit status and console stay in build/vm/NAME, the one directory that the guest can write for its host.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import fcntl
import itertools
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from vmtest.kernels import ROLES, KernelMissing, find

TOP = Path(__file__).parent.parent
KVM = Path("/dev/kvm")
TRIAL_SECONDS = 20.0  # a boot takes 3 s where KVM works
GUEST_SECONDS = 2400.0
# One thread for both CPUs. With one each, and fewer free on the host, a guest's CPU spins for minutes on locks whose
# holder the host has put to sleep.
EMULATED = "-accel tcg,thread=single"
# One instruction takes one nanosecond of guest time: what is measured in there repeats exactly. The guest's clock runs
# ahead while it has nothing to do. The microvm machine has no clock finer than a jiffy.
COUNTED = "-icount shift=0,sleep=off"
# A NIC whose only peer is a command of the host's: a connection to that address downloads what it prints. The guest
# configures it itself; vng's own --network waits for a DHCP client that may not be there.
DOWNLOAD_BYTES = 30_000_001
NETWORK = (
    f"-netdev 'user,id=nic,restrict=on,guestfwd=tcp:10.0.2.100:9-cmd:head -c {DOWNLOAD_BYTES} /dev/zero' "
    "-device virtio-net-pci,netdev=nic"
)
TREE = "mnt/tree"
"""The top of the tree in a guest whose root is not the host's."""
PR_SET_PDEATHSIG = 1  # prctl(2)


class GuestError(Exception):
    """The guest did not do what it was started for: a sentence, then the end of its console."""


@contextmanager
def claimed(name: str) -> Iterator[Path]:
    """An empty directory for the results of a guest, build/vm/NAME, or build/vm/NAME.1 while another uses that."""
    for number in itertools.count():
        folder = TOP / "build" / "vm" / (f"{name}.{number}" if number else name)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{folder.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder)
            folder.mkdir()
            yield folder
            return


def run(
    name: str,
    command: str,
    results: Path,
    *,
    prefix: str = "",
    limit: float = GUEST_SECONDS,
    counted: bool = False,
    root: Path | None = None,
) -> int:
    """Boot the kernel of a role or series, run *command* there, print its output as it comes.

    Return the command's exit status.
    In a *counted* guest time is instructions. *root* is the directory of another root file system than the host's.
    """
    kernel = find(name).vmlinuz
    kvm = not counted and kvm_works(kernel)
    return boot(kernel, command, results, kvm=kvm, prefix=prefix, limit=limit, counted=counted, root=root)


def kvm_works(kernel: Path) -> bool:
    """Whether *kernel* boots under /dev/kvm: that it opens proves nothing, so try once and keep the answer."""
    if not os.access(KVM, os.R_OK | os.W_OK):
        return False
    verdict = kernel.parent / f"kvm-under-{platform.release()}"
    if not verdict.exists():
        verdict.write_text("yes" if trial(kernel) else "no")
    return verdict.read_text() == "yes"


def trial(kernel: Path) -> bool:
    with claimed(f"kvm-{kernel.name}") as results:
        try:
            return boot(kernel, "true", results, kvm=True, limit=TRIAL_SECONDS) == 0
        except GuestError:
            return False


def boot(
    kernel: Path,
    command: str,
    results: Path,
    *,
    kvm: bool,
    limit: float,
    prefix: str = "",
    counted: bool = False,
    root: Path | None = None,
) -> int:
    """One guest, from boot to power off. Raises GuestError at *limit* seconds, or if it dies before *command* ends.

    *command* starts at the top of the tree, which is read-only, and can write *results*, which has the same path there.
    """
    log, status = results / "log", results / "status"
    script = f"( cd '{'/' + TREE if root else TOP}' && {command}\n) > '{log}' 2>&1; echo $? > '{status}'"
    end = time.monotonic() + limit
    with started(vng(kernel, script, results, kvm=kvm, counted=counted, root=root), results / "console") as guest:
        for text in follow(log, guest, end):
            print("".join(prefix + line for line in text.splitlines(keepends=True)), end="", flush=True)
    if status.exists() and (said := status.read_text()):  # empty: the guest was ended between the two steps of echo
        return int(said)
    why = f"did not finish within {limit:.0f} s" if time.monotonic() > end else f"ended early (vng: {guest.returncode})"
    raise GuestError(f"{kernel.name} in a guest {why}; its console, {results / 'console'}, ends so:\n{tail(results)}")


def vng(
    kernel: Path, script: str, results: Path, *, kvm: bool, counted: bool = False, root: Path | None = None
) -> list[str]:
    """The command line that boots *kernel* and runs *script* there."""
    # Without -v the guest's console is lost when standard input is not a terminal.
    nodes = ["-m", "3G", "--cpus", "2", "--numa", "1536M,cpus=0", "--numa", "1536M,cpus=1"]
    where = ["--force-9p", "--user", "root", *(_other_root(root, kernel, results) if root else [f"--rwdir={results}"])]
    options = NETWORK if kvm else f"{EMULATED} {NETWORK}"
    how = [] if kvm else ["--disable-kvm"]
    if counted:
        options, how = f"{COUNTED} {options}", [*how, "--disable-microvm"]
    return ["vng", "-v", "-r", str(kernel), *how, f"--qemu-opts={options}", *nodes, *where, "--exec", script]


def _other_root(root: Path, kernel: Path, results: Path) -> list[str]:
    """Options of vng for a guest whose root is *root*, which gets the kernel's modules and two mount points."""
    for mounted in (TREE, results.relative_to("/")):
        (root / mounted).mkdir(parents=True, exist_ok=True)
    version = kernel.name.removeprefix("vmlinuz-")
    modules = root / "usr/lib/modules" / version
    if not modules.exists():
        _add(kernel.parent.parent / "lib/modules" / version, modules)
    return [f"--root={root}", f"--rodir={TREE}={TOP}", f"--rwdir={results.relative_to('/')}={results}"]


def _add(source: Path, target: Path) -> None:
    """Copy a directory. What is there is whole, also if this process is killed or another copies it, too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".half-", dir=target.parent))
    half.chmod(0o755)
    try:
        shutil.copytree(source, half, symlinks=True, copy_function=_link, dirs_exist_ok=True)
        half.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


@contextmanager
def started(command: list[str], console: Path) -> Iterator[subprocess.Popen[bytes]]:
    """*command* in a session of its own, which is ended with it: vng starts a shell, and that starts qemu."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # vng looks for virtme-run there
    # vng has a file in there, which stays if it is killed.
    with tempfile.TemporaryDirectory(prefix="vmtest-") as own, console.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=TOP,
            env={**os.environ, "PATH": path, "TMPDIR": own},
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def follow(log: Path, guest: subprocess.Popen[bytes], end: float) -> Iterator[str]:
    """What the guest writes to *log*, whole lines at a time, until it is gone or *end* has passed."""
    seen = 0
    while time.monotonic() < end:
        running = guest.poll() is None
        written = log.read_bytes()[seen:] if log.exists() else b""
        whole = written[: written.rfind(b"\n") + 1] if running else written
        seen += len(whole)
        yield whole.decode(errors="replace")
        if not running:
            return
        time.sleep(0.2)


def tail(results: Path, lines: int = 30) -> str:
    return "\n".join((results / "console").read_text(errors="replace").splitlines()[-lines:])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/vm", description="Run a command as root under another kernel.")
    parser.add_argument("--prefix", default="", help="put before each line of output")
    parser.add_argument("--results", type=Path, help="the directory that the guest can write (default: in build/vm)")
    parser.add_argument("--root", type=Path, help="the guest's root file system (default: the host's)")
    parser.add_argument("name", metavar="ROLE|SERIES", help=f"{', '.join(ROLES)}, or a series such as 6.12")
    parser.add_argument("command", help="for the guest's shell, from the top of the tree")
    args = parser.parse_args(argv)
    end_with_parent()
    try:
        with nullcontext(args.results) if args.results else claimed(args.name) as results:
            return run(args.name, args.command, results, prefix=args.prefix, root=args.root)
    except (GuestError, KernelMissing) as error:
        print(f"scripts/vm: {error}", file=sys.stderr)
        return 1


def end_with_parent() -> None:
    """Have SIGTERM, and the death of whoever started us, end the guest, too: they unwind through started()."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
