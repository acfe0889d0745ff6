"""Better mappings from a mapping: moves that are proposed, ranked, tried and kept if not worse."""
