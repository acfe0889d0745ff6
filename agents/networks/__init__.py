"""Encoder and decoder in torch, and the arrays and kernels that they share with the runtime."""
