// Command picker is a program with a graphical toolkit: Fyne, whose file dialog and widgets are the same on all systems. A
// picture is chosen in a dialog, or dropped on the window; bars tell what it is. The network is opened while the
// window is there already, with a bar of its own.
//
//	go run ./picker
package main

import (
	"context"
	"flag"
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/storage"

	"github.com/bitgpu/bitgpu"
)

func main() {
	name := flag.String("model", bitgpu.Demo, "the network")
	once := flag.String("once", "", "a `PICTURE` to answer, print and end with")
	flag.Parse()

	window := app.New().NewWindow("bitgpu")
	p := newPicker(context.Background(), window, *name)
	if *once != "" {
		p.opened = func() { p.show(storage.NewFileURI(*once)) }
		p.answered = func(text string) {
			fmt.Println(text)
			window.Close()
		}
	}
	window.Resize(fyne.NewSize(640, 560))
	window.ShowAndRun()
	p.close()
}
