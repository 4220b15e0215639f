// Package vk is the one place of the project that touches C, unsafe memory and the Vulkan binding
// github.com/vulkan-go/vulkan. Above it, package gpu is ordinary Go.
//
// From the binding come the handle types, the constants and the result codes. None of its functions is
// called, for two reasons. Those that take structs hand the driver memory that the garbage collector may
// already have freed, or keep memory until somebody frees it. And all of them go through one table of
// function pointers for the whole process, which belongs to the program that embeds us: filling it again
// would break a host that uses the binding itself. So every call goes through C shims (shim.h) and a table of
// function pointers per instance and per device. Because nothing is shared, instances and devices of
// different loaders live side by side.
//
// Invariants: no Go pointer is stored in C memory; no C memory outlives the object that it was allocated
// for; every method may be called from any goroutine, with the external synchronization that the Vulkan
// specification asks of the caller (queues, command pools, descriptor pools, fences being reset).
package vk
