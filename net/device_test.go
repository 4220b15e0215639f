package net

import (
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/gpu/gputest"
)

// TestDevice runs what needs kernels on one device: CPU drivers take a second to compile a
// convolution, and a device keeps what it has compiled.
func TestDevice(t *testing.T) {
	dev := gputest.Open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *gpu.Device)
	}{
		{"ConvFamily", testConvFamily},
		{"CoopmatTiles", testCoopmatTiles},
		{"CoopmatSaturates", testCoopmatSaturates},
		{"WinogradConv", testWinogradConv},
		{"NetworkWinograd", testNetworkWinograd},
		{"NetworkRun", testNetworkRun},
		{"NetworkSplitWeights", testNetworkSplitWeights},
		{"NetworkPixels", testNetworkPixels},
		{"NetworkCrops", testNetworkCrops},
		{"NetworkProfile", testNetworkProfile},
		{"NetworkRunErrors", testNetworkRunErrors},
		{"ConcurrentSizes", testConcurrentSizes},
		{"SlotsAreSeparate", testSlotsAreSeparate},
		{"GrowingArena", testGrowingArena},
		{"BeginWaits", testBeginWaits},
		{"WaitCancelled", testWaitCancelled},
		{"Discard", testDiscard},
		{"CloseInFlight", testCloseInFlight},
		{"CloseFreesMemory", testCloseFreesMemory},
		{"Trim", testTrim},
		{"PauseHoldsBatches", testPauseHoldsBatches},
		{"LoadTypes", testLoadTypes},
		{"LoadPieces", testLoadPieces},
		{"LoadErrors", testLoadErrors},
		{"LoadCancelled", testLoadCancelled},
		{"LoadProgress", testLoadProgress},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, dev) })
	}
}
