package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
)

// TestURLs: pictures from the web are answered like the files, and those that cannot be had name their URL.
func TestURLs(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir(photos)))
	defer server.Close()
	dir := t.TempDir()
	byURL, byFile := filepath.Join(dir, "url.npy"), filepath.Join(dir, "file.npy")
	out := bitgpuRun(t, exitFailed, demoArgs("run", "--format", "json", "--logits", byURL,
		server.URL+"/chelsea.png?size=[1]", server.URL+"/none.png", "ftp://example.org/x.png", server.URL+"/CREDITS.txt", server.URL+"/rocket.jpg")...)
	bitgpuRun(t, exitOK, demoArgs("run", "--logits", byFile, cat, rocket)...)
	got, want := array(t, byURL), array(t, byFile)
	same(t, "chelsea.png", rowOf(got, 0), rowOf(want, 0))
	same(t, "rocket.jpg", rowOf(got, 4), rowOf(want, 1))
	answers := lines(t, out.stdout)
	for i, text := range []string{"", "/none.png: the server answers 404 Not Found", `ftp://example.org/x.png: scheme "ftp", want http or https`,
		"/CREDITS.txt: not a PNG, JPEG", ""} {
		if a := answers[i]; !strings.Contains(a.Error, text) || (a.Error == "") != (text == "") {
			t.Errorf("%s: error %q, want %q in it", a.File, a.Error, text)
		}
	}
	wants(t, out.stderr, "3 of 5 inputs failed")

	// A list may name URLs too; a file over the limit is not read.
	list := run{args: demoArgs("embed", "--max-bytes", "1000", "-"), stdin: server.URL + "/chelsea.png\n"}.do(t)
	list.exited(t, exitFailed, nil)
	wants(t, list.stdout, "chelsea.png: image too large")
	tensor := bitgpuRun(t, exitFailed, demoArgs("run", "--tensor", server.URL+"/x.npy")...)
	wants(t, tensor.stderr, "reads files, not URLs")
}

// TestURLThroughProxy: the environment's proxy is asked.
func TestURLThroughProxy(t *testing.T) {
	data, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "http://pictures.invalid/cat" {
			w.WriteHeader(http.StatusBadGateway)
		}
		w.Write(data)
	}))
	defer proxy.Close()
	out := run{args: demoArgs("run", "http://pictures.invalid/cat"), env: []string{"HTTP_PROXY=" + proxy.URL, "NO_PROXY="}}.do(t)
	out.exited(t, exitOK, nil)
	wants(t, out.stdout, "cat")
}

// TestStandardInput: --input - is a picture, - a list.
func TestStandardInput(t *testing.T) {
	data, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	out := run{args: demoArgs("run", "--format", "json", "-i", "-", rocket), stdin: string(data)}.do(t)
	out.exited(t, exitOK, nil)
	got := lines(t, out.stdout)
	if len(got) != 2 || got[0].File != "stdin" || got[0].Top[0].Label != "cat" || got[1].File != rocket {
		t.Errorf("%s", out.stdout)
	}
	crops := filepath.Join(t.TempDir(), "x.npy")
	out = run{args: []string{"preprocess", "--model", "demo", "--out", crops, "--input", "-", "--input", cat}, stdin: string(data)}.do(t)
	out.exited(t, exitOK, nil)
	x := array(t, crops)
	same(t, "crop", rowOf(x, 0), rowOf(x, 1))
	for _, test := range []struct{ stdin, want string }{
		{"", "stdin: not a PNG"}, {"no picture at all", "stdin: not a PNG"}, {string(data[:len(data)/2]), "stdin: PNG: "},
	} {
		out := run{args: demoArgs("run", "-i", "-"), stdin: test.stdin}.do(t)
		out.exited(t, exitFailed, nil)
		wants(t, out.stderr, test.want)
	}
	out = run{args: demoArgs("run", "-i", "-", "--max-bytes", "1000"), stdin: string(data)}.do(t)
	out.exited(t, exitFailed, nil)
	wants(t, out.stderr, "stdin: image too large: more than 1000 bytes")
}

// TestTensorLeavesPresetsOut: a default about pictures does not hinder tensors, the same flag given with them does.
func TestTensorLeavesPresetsOut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.npy")
	writeArray(t, file, &bitgpu.Tensor{Shape: []int{1, 3, 32, 32}, Data: make([]float32, 3*32*32)})
	r := run{args: demoArgs("run", "--tensor", file), env: []string{"BITGPU_AUTO_ORIENT=true", "BITGPU_SIZE=96"}}
	r.do(t).exited(t, exitOK, r.args)
	bitgpuRun(t, exitUsage, demoArgs("run", "--tensor", "--size", "96", file)...)
}
