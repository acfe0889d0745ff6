"""Programs from PyTorch models. Needs torch, which the rest of the domain does not."""
