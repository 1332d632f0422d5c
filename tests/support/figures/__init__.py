"""Figures in README and docs: written from the results files, and nowhere else.

What was measured stands in a document between two comments, which nobody sees on its page::

    <!-- figures: scenarios s1-hour.json s2.json -->
    ...
    <!-- end -->

The first word names a function of :mod:`tests.support.figures.blocks`, the others are results files in
``docs/results``. ``make figures`` writes what is between them anew. A file that is not there is left out, and a block
that has none is empty.

Any other figure of a document is a constant: a limit, a setting, a size of a run. ``constants.toml`` lists these, each
with the words around it and the reason; ``tests/test_figures.py`` finds what is neither.
"""
