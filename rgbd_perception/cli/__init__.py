"""The command line. ``main`` is the entry point; every other module but ``output`` is one sub-command."""
