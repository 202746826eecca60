"""What is known about choosing an optimizer: rules of documents, published measurements, start recipes.

Knows nothing of a study and trains nothing: ``guide`` says what to try for a task's profile, ``audit``
compares the rules with scores that it is handed as numbers. The knowledge itself is data, in
``knowledge/``, with the measurements that it cites; ``prior`` says which learning rates to expect.

May import space, catalogue, the profile of tasks, run, recipe and errors; no search, training, records
or torch.
"""
