package gpu

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

var (
	// ErrNoVulkan means that no Vulkan loader could be opened.
	ErrNoVulkan = errors.New("gpu: Vulkan is not there")
	// ErrNoDevice means that there is no Vulkan device, or none that was asked for.
	ErrNoDevice = errors.New("gpu: no such Vulkan device")
	// ErrDeviceLost means that the device stopped working: it was reset by a watchdog, unplugged, or its driver failed.
	ErrDeviceLost = errors.New("gpu: device lost")
	// ErrOutOfMemory means that memory, the budget or a limit of the device on memory does not suffice.
	ErrOutOfMemory = errors.New("gpu: out of memory")
	// ErrClosed means that the device has been closed.
	ErrClosed = errors.New("gpu: device is closed")
)

// ValidationError holds what the Khronos validation layer said: incorrect use of Vulkan by this package, by a
// kernel or by a driver. The call that returns it is the first one to notice, not always the one to blame.
type ValidationError struct {
	Messages []string // oldest first
}

func (e *ValidationError) Error() string {
	return fmt.Sprintf("gpu: %d validation message(s):\n%s", len(e.Messages), strings.Join(e.Messages, "\n"))
}

// classify adds to an error of a Vulkan call the sentinel that callers test for.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, vk.DeviceLost):
		return fmt.Errorf("%w: %w", ErrDeviceLost, err)
	case errors.Is(err, vk.OutOfHostMemory), errors.Is(err, vk.OutOfDeviceMemory),
		errors.Is(err, vk.OutOfPoolMemory), errors.Is(err, vk.FragmentedPool),
		errors.Is(err, vk.MemoryMapFailed), errors.Is(err, vk.TooManyObjects):
		return fmt.Errorf("%w: %w", ErrOutOfMemory, err)
	}
	return err
}

// noted is classify for errors of this device's calls: it also remembers that the device is lost.
func (d *Device) noted(err error) error {
	err = classify(err)
	if errors.Is(err, ErrDeviceLost) {
		d.lost.Store(true)
	}
	return err
}

// messages returns what the validation layer said since the last call as a *ValidationError, or nil.
func (d *Device) messages() error {
	if !d.checks {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.destroyed {
		return nil
	}
	return validationError(d.instance.TakeMessages())
}

func validationError(messages []string) error {
	if len(messages) == 0 {
		return nil
	}
	return &ValidationError{Messages: messages}
}
