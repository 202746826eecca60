"""Tests of the room ``autoopt/training``."""
