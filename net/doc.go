// Package net runs BiT image networks (pre-activation ResNet-V2 with Group Normalization and Weight
// Standardization) on a Vulkan device.
//
// It has three layers, each usable without the one below it:
//
//   - Graph: what the network computes. Operations, shapes and parameter names; pure data.
//   - Plan: how it runs. Fused steps, a kernel with its parameters for each, one arena with offsets
//     from lifetimes; pure data, printable.
//   - Program: command buffers recorded on one device, replayed for every batch.
//
// A Network holds a device's copy of the weights and the programs that have been recorded for it.
// The package reads weights through the interface Source and knows nothing of files or pictures.
package net
