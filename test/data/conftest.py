import sys
from pathlib import Path

# Tests are imported by file, so their shared module needs its folder on the path.
sys.path.insert(0, str(Path(__file__).parent))
