"""Message passing and fused blocks, fast: the kernels that run what layers and graphs ask for."""
