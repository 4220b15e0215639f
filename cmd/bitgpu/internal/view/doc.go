// Package view is the window of bitgpu view: pictures with their answers, activation maps and feature maps. It is built
// with the tag desktop.
//
// Its rooms:
//
//	view.go               Options, and Run: the window's life, and that of the devices it is shown on
//	window.go             GLFW: the window, keys, dropped files
//	control.go            what keys do
//	gallery.go            the pictures and what is known of each; shared by all goroutines
//	picture.go heat.go    decoded pictures, maps and grids as textures are made of them
//	worker.go             the goroutines that read, decode and run pictures
//	scene.go panel.go     what is where in the window
//	canvas.go text.go     rectangles and glyphs, in lengths that fit the display
//	bench.go              frame times
//
// The window's goroutine draws and does nothing that takes long; the workers tell it that something has changed. The
// network runs on the window's own device in slices (bitgpu.Options.SliceBudget), so that frames get in between.
package view
