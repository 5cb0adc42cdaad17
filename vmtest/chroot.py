"""A shell command in another root file system, on this kernel, as root, from the top of the tree.

Its mounts are in namespaces of its own: they end with the command, also if it or its parent is killed.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

from vmtest.guest import PR_SET_PDEATHSIG, TOP, TREE

NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
CLEAN = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8")
# The root is read-only, and so is the tree, but for the directory of results, which has the same path in there.
ENTER = f"""
set -e
root=$1 top=$2 tree=$3 results=$4
mount --bind "$root" "$root"
cd "$root"
mount -o remount,bind,ro .
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
for empty in tmp run var/tmp; do mount -t tmpfs tmpfs $empty; done
mkdir run/lock && mount --bind /run/lock run/lock   # test runs take turns with those outside
mount --bind "$top" {TREE}
[ "$tree" = writable ] || mount -o remount,bind,ro {TREE}
if [ -n "$results" ]; then mkdir -p ".$results"; mount --bind "$results" ".$results"; fi
shift 4
chroot . env -i "$@"
exit $?   # no exec: this shell is process 1, and fetches orphans that have ended
"""


def command(root: Path, script: str, results: Path | None = None, *, writable: bool = False) -> list[str]:
    """Return the command line that runs *script* in *root*, and ends with its parent."""
    (root / TREE).mkdir(parents=True, exist_ok=True)
    if results:
        (root / results.relative_to("/")).mkdir(parents=True, exist_ok=True)
    where = [str(root), str(TOP), "writable" if writable else "", str(results or "")]
    inside = [*CLEAN, "sh", "-c", f"cd /{TREE} && {script}"]
    enter = [*NAMESPACES, "sh", "-c", ENTER, "enter", *where, *inside]
    return [sys.executable, "-m", "vmtest.chroot", *enter]


def main() -> int:
    """Run the command in the arguments, which is killed if this process ends: by itself, unshare ignores signals."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.run(sys.argv[1:], preexec_fn=_die_with_parent).returncode


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
