"""What a process has of memory, and a folder of the disk, over time."""

import os
import threading
import time

STEP_S = 0.1


class Memory:
    """Looks at the resident memory of a process until the end of the `with`."""

    def __init__(self, process):
        self.process = process
        self.seen = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        began = time.monotonic()
        while not self._end.wait(STEP_S):
            try:
                self.seen.append((time.monotonic() - began, self.process.rss_bytes()))
            except OSError:
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def most(self):
        return max(bytes_ for _, bytes_ in self.seen)

    def thirds(self):
        """The most in each third of the time."""
        last = self.seen[-1][0]
        parts = [[], [], []]
        for at, bytes_ in self.seen:
            parts[min(2, int(3 * at / last))].append(bytes_)
        return [max(part) for part in parts if part]


def taken_bytes(directory):
    """Bytes that files take on the disk."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total
