"""Finding out why nothing is shown: checks of the machine, and of a running graph."""
