"""Lets programs beside this folder import its files as these import each other."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
