// Package tests holds the tests that cross packages: the networks against timm's own results
// (testdata/nets, testdata/fullsize), the demo network against PyTorch's answers, and the command from
// end to end.
package tests
