"""Optimizers that misbehave as users' code does: each is tried beside sound ones, and may cost its own runs only."""

import os
import signal
import sys
import time

from torch.optim import SGD

STEPS = 20  # before it shows


class Late(SGD):
    """Counts its steps, and does something after some of them."""

    steps = 0

    def step(self, closure=None):
        """Take a step."""
        found = super().step(closure)
        self.steps += 1
        if self.steps == STEPS:
            self.misbehave()
        return found

    def misbehave(self):
        """Do it."""


class Raises(Late):
    """Raises."""

    def misbehave(self):
        """Raise what nobody has foreseen."""
        raise RuntimeError("{braces} [bold]and markup[/bold]\n'; DROP TABLE autoopt_runs; --")


class Exits(Late):
    """Ends the program."""

    def misbehave(self):
        """Call sys.exit."""
        sys.exit(3)


class Spoils(Late):
    """Makes all weights NaN."""

    def misbehave(self):
        """Write NaN."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.fill_(float("nan"))


class Prints(Late):
    """Prints megabytes."""

    def misbehave(self):
        """Print."""
        print("x" * 2**20 * 4)


class Forks(Late):
    """Forks, and lets the child die at once."""

    def misbehave(self):
        """Fork."""
        if (child := os.fork()) == 0:
            os._exit(1)
        os.waitpid(child, 0)


class Segfaults(Late):
    """Ends its process as a fault in a library of C does."""

    def misbehave(self):
        """Fault."""
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Late):
    """Never comes back."""

    def misbehave(self):
        """Hang."""
        while True:
            time.sleep(60)


class Leaks(Late):
    """Takes more and more memory."""

    most = 3 * 2**30  # bytes, should nobody end it

    def misbehave(self):
        """Leak."""
        hoard = []
        while len(hoard) * 2**24 < self.most:
            hoard.append(b"x" * 2**24)
            time.sleep(0.01)


ALL = (Raises, Exits, Spoils, Prints, Forks)
FATAL = (Segfaults, Hangs, Leaks)  # to the process, so they are for studies that isolate
