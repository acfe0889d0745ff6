"""Subcommands of the command line; each module has ``main(argv) -> int``."""
