"""Figures as pure functions: plain data in, a Plotly figure out; no Streamlit, no database."""
