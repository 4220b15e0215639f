// Package loader brings weights and pictures into memory, as plain Go data; it
// knows no GPU and no network graph, and imports nothing else of this module.
//
// Weights. A Checkpoint is a set of named tensors that are read in pieces. Open
// opens a file of any form in which BiT weights exist (safetensors, PyTorch, .npz)
// and gives its tensors timm's names; OpenSafetensors and NewSafetensors leave
// them as they are; Generated computes weights from their names. Recast rounds
// them to another precision. Finite watches the pieces for NaN,
// CheckTensors compares what a checkpoint has with what a network wants. Find
// knows where models lie on a machine; Config is what the config.json beside
// the weights says, and Labels names the classes. The package demo below this
// one embeds a small network.
//
// Pictures. Decode, resize, crop and normalization give the tensors that
// timm's evaluation transform gives, byte for byte where the file format
// allows it.
//
// Arrays. NPYReader and NPYWriter read and write .npy files row by row,
// SafetensorsWriter writes safetensors files as a stream.
//
// Every file is taken as hostile: all numbers are checked before they are
// used, memory stays bounded by what the file really holds, and what is wrong
// comes back as an error that begins with "loader: ", names the file, and
// wraps ErrCorrupt where the file breaks its own format. Nothing panics on
// input, nothing is logged, and there is no package state.
package loader
