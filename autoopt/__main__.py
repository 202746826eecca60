"""``python -m autoopt`` is the ``autoopt`` command."""

from autoopt.cli import main

if __name__ == "__main__":
    main()
