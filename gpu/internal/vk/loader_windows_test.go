package vk

// otherLibrary is one without Vulkan's entry point.
const otherLibrary = "kernel32.dll"
