"""The command line. ``main`` is the entry point; ``output``, ``compiling`` and ``picture`` help sub-commands,
which every other module is one of."""
