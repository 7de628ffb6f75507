"""Teachers: what the segments of a labelled view mean, as vectors that a network can be distilled towards."""
