"""The benchmark of training: the same runs through autoopt's cohorts and through a loop that anybody would write."""
