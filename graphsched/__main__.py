"""``python -m graphsched`` is the command ``graphsched``."""

import sys

from graphsched.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
