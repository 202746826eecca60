"""The dashboard: a study in the browser, from the recommendation down to a single run.

Reads through ``records`` and shows what ``verdict``, ``export``, ``guidance`` and ``catalogue`` say; decides
nothing, and writes nothing to a study but notes and tags. ``charts`` are pure functions from data to figures,
``views`` ask one question each, ``page`` has what they share. Streamlit, Plotly and pandas are used in here only,
and come with ``pip install 'autoopt[dashboard]'``.
"""
