package bitgpu

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/shaders"
)

// TuneOptions of Tune. The zero value works.
type TuneOptions struct {
	Batch  int           // pictures; 0 for one
	Size   int           // their height and width; 0 for the model's own
	Budget time.Duration // about how long it may take; 0 for as long as there is something to try
	// Progress, if set, hears of every kind of convolution that is done, of all.
	Progress func(done, total int, found net.TunedConv)
}

// Tuned is what Tune found.
type Tuned struct {
	*net.Tuning
	Device gpu.Info
	File   string // where it is kept
}

// Tune measures which kernels are fastest for a model on the device of o, and keeps that in o's CacheDir,
// where Open finds it: with what is there already of other models, sizes and batches. Weights are not
// loaded, and need not be there for a published model. Nothing else should use the device
// meanwhile. Results stay within the bounds that docs/accuracy.md gives, though not the same to the last bit.
func Tune(ctx context.Context, name string, o Options, t TuneOptions) (*Tuned, error) {
	found, err := tune(ctx, name, o, t)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return found, nil
}

func tune(ctx context.Context, name string, o Options, t TuneOptions) (_ *Tuned, err error) {
	s, err := findUnloaded(name)
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	if cache == "" {
		return nil, errors.New("tuning needs a cache directory to keep what it finds")
	}
	dev, err := gpu.Open(gpu.Options{Device: o.Device, Validation: o.Validation, CacheDir: cache, MemoryBudget: o.MemoryBudget, Host: o.Host})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	size := t.Size
	if size == 0 {
		size = s.info.Preprocess.Size
	}
	found, err := net.Tune(ctx, dev, s.info.Config, net.TuneOptions{
		Storage: o.Precision.storage(), Images: max(t.Batch, 1), Height: size, Width: size,
		Budget: t.Budget, Progress: t.Progress,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.info.Name, err)
	}
	info := dev.Info()
	file := tuningFile(cache, info)
	if err := writeTuning(file, readTuning(cache, info).Merge(found)); err != nil {
		return nil, err
	}
	return &Tuned{Tuning: found, Device: info, File: file}, nil
}

// findUnloaded is find for what needs no weights: those of a published model need not be there.
func findUnloaded(name string) (*source, error) {
	s, err := find(name, "", nil)
	if errors.Is(err, ErrNoModel) {
		if _, known := net.FindVariant(name); known {
			s, err = find(name, RandomGolden, nil)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, s.checkpoint.Close()
}

// tuningFile is where a device's tuning is kept in a cache directory.
func tuningFile(cache string, info gpu.Info) string {
	return filepath.Join(cache, fmt.Sprintf("tuning-%x-%08x.json", info.UUID[:], info.DriverVersion))
}

// storedTuning is the content of a tuning file.
type storedTuning struct {
	Kernels string `json:"kernels"` // fingerprint of the kernels that were measured
	*net.Tuning
}

// readTuning returns what was found for a device with today's kernels; nil if nothing was, or the file
// cannot be read: tuning is for speed only.
func readTuning(cache string, info gpu.Info) *net.Tuning {
	if cache == "" {
		return nil
	}
	text, err := os.ReadFile(tuningFile(cache, info))
	if err != nil {
		return nil
	}
	var stored storedTuning
	if json.Unmarshal(text, &stored) != nil || stored.Kernels != fingerprint() {
		return nil
	}
	return stored.Tuning
}

// writeTuning replaces a tuning file at once, so that no reader sees half of one.
func writeTuning(file string, t *net.Tuning) error {
	text, err := json.MarshalIndent(storedTuning{Kernels: fingerprint(), Tuning: t}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// fingerprint is of the code of all kernels.
func fingerprint() string {
	hash := sha256.New()
	for _, k := range shaders.All() {
		code, err := k.Code()
		if err != nil {
			panic(err) // the code is part of the program
		}
		_ = binary.Write(hash, binary.LittleEndian, code) // never fails
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
