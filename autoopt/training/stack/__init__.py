"""Many runs of one model in one pass: what a stack of rows is made of; ``autoopt.training.stacked`` is the door to it.

A row is one run: its weights are a row of a matrix, its optimizer a row of numbers, and one call of every tensor
operation serves them all.
"""
