"""Subcommands of the command line; each module has ``main(argv) -> int``."""

INTERRUPTED = 130  # exit status that shells give to a program stopped by Ctrl-C
