"""Other people's libraries, measured on the same frames and vectors. One file for each of them.

A peer that is not installed raises UserError with how to get it; the benchmark prints that and goes on.
"""
