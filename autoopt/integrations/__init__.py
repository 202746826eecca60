"""autoopt in other people's programs: one leaf for each library, which nobody here imports.

A leaf speaks its library's language and leaves all decisions to ``tuning``. Its library is imported in it alone, and
is an extra: ``pip install 'autoopt[skorch]'``.
"""
