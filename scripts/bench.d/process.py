"""Programs that a run starts: every one ends with the run, and only those are ever ended."""

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PR_SET_PDEATHSIG, PR_SET_TIMERSLACK = 1, 29

_running = []
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A row cannot be measured; the text says why."""


def before_exec():
    """The program dies with this script, and its sleeps end on time: the usual slack of 50 us would
    count as latency of what it measures."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _libc.prctl(PR_SET_TIMERSLACK, 1)


def ends_with_us(program):
    """Its `kill` is called at the end of the row."""
    _running.append(program)


def forget(program):
    if program in _running:
        _running.remove(program)


class Process:
    """A program that runs beside us; its output goes to a file."""

    def __init__(self, words, log, environment=None):
        self.words = [str(word) for word in words]
        self.log = log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                preexec_fn=before_exec, env={**os.environ, **(environment or {})})
        self.pid = self.popen.pid
        ends_with_us(self)

    def alive(self):
        return self.popen.poll() is None

    def cpu_s(self):
        """Seconds of processor time, user and system, of all its threads so far."""
        return cpu_s(self.pid)

    def rss_bytes(self):
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE_BYTES

    def send(self, number):
        self.popen.send_signal(number)

    def tail(self):
        with open(self.log, errors="replace") as file:
            return " | ".join(file.read().strip().splitlines()[-4:])

    def stop(self, wait_s=20):
        """Asks it to end, and makes it end when it does not."""
        if self.alive():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(wait_s)
            except subprocess.TimeoutExpired:
                self.kill()
        forget(self)

    def kill(self):
        if self.alive():
            self.popen.kill()
            self.popen.wait()
        forget(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@atexit.register
def end_all():
    for process in list(_running):
        process.kill()


def threads_s(pid):
    """Seconds of processor time of each name of its threads."""
    spent = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as file:
            head, _, rest = file.read().rpartition(")")
        name, fields = head.partition("(")[2], rest.split()
        spent[name] = spent.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return spent


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS_PER_SECOND


def run(words, timeout_s):
    """Runs a program to its end and gives what it wrote to standard output."""
    done = subprocess.run(
        [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=timeout_s, preexec_fn=before_exec, text=True,
        errors="replace")
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Failed(f"{os.path.basename(str(words[0]))} ended with {done.returncode}: {' | '.join(said)}")
    return done.stdout


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_until(condition, limit_s, what, step_s=0.02):
    """Waits until `condition` gives something true, and gives it back."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {limit_s:.0f} s")
        time.sleep(step_s)
