"""Write every block of figures anew: ``make figures``."""

from __future__ import annotations

import sys

from tests.support.figures.project import ROOT, rewrite

for changed in rewrite(ROOT):
    sys.stdout.write(f"written: {changed}\n")
