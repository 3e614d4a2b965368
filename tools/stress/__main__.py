"""Run the suite as `python tools/stress`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from stress.run import main

    sys.exit(main())
