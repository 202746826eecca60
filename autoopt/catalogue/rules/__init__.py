"""Update rules: what each optimizer does to one array of weights, as pure functions.

Operators and the methods that tensors and arrays share (``clip``, ``mean``, ``@``), nothing imported: a rule
can be read beside its formula, moves a point of a picture, and is what the library's optimizer is tested
against. Each stands by the family of its optimizer; ``terms`` has what they share.
"""
