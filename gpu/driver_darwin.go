package gpu

const installDriver = "Install MoltenVK: brew install molten-vk"
