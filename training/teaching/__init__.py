"""Teaching: what solvers do, written down as decisions that policies learn from."""
