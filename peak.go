package bitgpu

import (
	"context"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu/peak"
)

// MeasurePeak measures what one of Info.Devices can do at most (package peak), so that Measure's results
// can be told as a share of it. Nothing else should run on the device meanwhile, and a pause does not
// hold it back.
func (m *Model) MeasurePeak(ctx context.Context, device int) (_ []peak.Peak, err error) {
	e, err := m.engine(device)
	if err != nil {
		return nil, err
	}
	if err := e.use(); err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	defer e.done(&err)
	peaks, err := peak.Measure(ctx, e.dev)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return peaks, nil
}

// engine is the one of a device.
func (m *Model) engine(device int) (*engine, error) {
	if device < 0 || device >= len(m.engines) {
		return nil, fmt.Errorf("bitgpu: device %d of %d", device, len(m.engines))
	}
	return m.engines[device], nil
}
