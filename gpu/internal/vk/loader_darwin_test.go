package vk

// otherLibrary is one without Vulkan's entry point.
const otherLibrary = "/usr/lib/libSystem.B.dylib"
