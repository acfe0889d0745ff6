"""The contract between domains and everything that learns on them."""
