"""Every error an operator can meet, in one tree; only ``cli`` prints them and exits.

PpobserveError
├── UsageError            the command line or the configuration is wrong           exit 2
│   ├── ConfigError
│   └── RecordingError    a file is no recording that can be read, or can't be one
└── HostError             this host, or the state that it is in, refuses           exit 1
    ├── NotObservable     no hook can be attached to this kernel
    ├── KernelFactError   a fact of the kernel could not be read
    ├── BpfError          bpf(2) refused (kernel/bpf.py, with errno and the verifier's words)
    ├── LoaderError       the BCC child failed, crashed or hung
    ├── ReadError         attached counters could not be read
    ├── RemoteError       a daemon could not be asked, or its answer is none
    │   └── NobodyThere   nothing listens on that address
    ├── PrometheusError   Prometheus could not be asked, refused a query, or knows nothing of us
    ├── ListenError       the daemon's address could not be taken
    ├── OutputError       standard output is closed, or a disk is full or broken
    └── LabError          traffic could not be made
"""


class PpobserveError(Exception):
    """A failure as an operator needs it: what was tried and why it failed, then what to do.

    ``str(error)`` is one to three lines: the first says what failed, *because* adds the circumstances, *fix* is the
    one command or package that helps.
    """

    exit_status = 1

    def __init__(self, what: str, *, because: str = "", fix: str = "") -> None:
        self.what, self.because, self.fix = what, because, fix
        lines = [what, because, f"try: {fix}" if fix else ""]
        super().__init__("\n  ".join(line for line in lines if line))


class UsageError(PpobserveError):
    """The command line asks for something that does not exist."""

    exit_status = 2


class ConfigError(UsageError):
    """The configuration file is unreadable, or holds an unknown key or a wrong value."""


class RecordingError(UsageError):
    """A file holds no recording that this version can read, or none can be written there."""


class HostError(PpobserveError):
    """This host, or the state that it is in, refuses what was asked."""


class NotObservable(HostError):
    """No hook can be attached: not root, no BTF, no page_pool, or every rung refused."""


class KernelFactError(HostError):
    """A kernel fact (BTF, symbols, nodes) is missing or malformed."""


class LoaderError(HostError):
    """The child that compiles and attaches with BCC failed, crashed or ran out of time."""


class ReadError(HostError):
    """The attached programs are there, but their counters could not be read."""


class RemoteError(HostError):
    """The daemon that was asked is down, slow, of another version, or no ppobserve."""


class NobodyThere(RemoteError):
    """Nothing listens on the address, or this host has no such address: there is no daemon."""


class PrometheusError(HostError):
    """Prometheus is down or slow, refuses a query, or has no data of ours."""


class ListenError(HostError):
    """The address to serve on is taken or not ours."""


class OutputError(HostError):
    """Standard output is closed or broken, or a disk is full or broken."""


class LabError(HostError):
    """Laboratory traffic could not be made on this host."""
