"""``python -m autoopt`` is the ``autoopt`` command."""

import contextlib
import os
import sys

if __name__ == "__main__":
    # Python puts the current folder first, where a torch.py of the user's would stand for torch itself; the
    # user's files are found all the same (autoopt/tasks/surroundings.py)
    with contextlib.suppress(FileNotFoundError):  # the current folder was deleted, so nothing lies in it
        if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
            del sys.path[0]

    from autoopt.cli import main

    main()
