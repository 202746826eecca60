"""Who trains what: several processes at work on one study, on one machine or several.

One process leads: it walks the journal, asks, promotes and recommends, and says which runs are to be trained. All of
them train. Whoever leads is held by a lease, and so is every run that is trained; a process that is over is found, and
what it had leased goes on elsewhere. Knows no recipes and no scores; may import records and training.
"""
