"""`python -m convzoo zoo|train|analysis ...`."""

import sys

from convzoo.commands import main

if __name__ == "__main__":
    sys.exit(main())
