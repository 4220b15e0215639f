package gpu

const installDriver = "Install the current driver of the GPU's vendor (AMD, Intel, NVIDIA)."
