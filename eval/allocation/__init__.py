"""Static allocation: buffers of known lifetimes into one memory, by rules, search and CP-SAT."""
