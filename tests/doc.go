// Package tests holds the tests that cross packages: the networks against timm's own results
// (testdata/nets, testdata/fullsize), and the demo network against PyTorch's answers (testdata/demo).
// The command's tests from end to end lie beside it.
package tests
