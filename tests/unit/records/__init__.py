"""Tests of the room ``autoopt/records``."""
