package gpu

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// A cache file is the magic, the SHA-256 of the driver's data, and the data. Drivers trust the data that
// they are given; a damaged file must not reach them.
const (
	cacheMagic = "bitgpu pipelines 1\n"
	cacheMax   = 256 << 20 // bytes; larger files are not ours
)

// cacheFile is where the device's compiled pipelines are kept, "" for nowhere.
func (d *Device) cacheFile() string {
	if d.cacheDir == "" {
		return ""
	}
	return filepath.Join(d.cacheDir, fmt.Sprintf("pipelines-%x-%08x.bin", d.info.UUID[:], d.info.DriverVersion))
}

// loadCache returns the driver's data in a cache file, nil if there is none that is whole and made by this
// very driver and device.
func loadCache(file string, p *vk.Physical) []byte {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	all, err := io.ReadAll(io.LimitReader(f, cacheMax+1))
	if err != nil || len(all) > cacheMax {
		return nil
	}
	data, ok := unpackCache(all)
	if !ok || !cacheFits(data, p) {
		return nil
	}
	return data
}

func packCache(data []byte) []byte {
	sum := sha256.Sum256(data)
	return bytes.Join([][]byte{[]byte(cacheMagic), sum[:], data}, nil)
}

func unpackCache(all []byte) (data []byte, ok bool) {
	all, ok = bytes.CutPrefix(all, []byte(cacheMagic))
	if !ok || len(all) < sha256.Size {
		return nil, false
	}
	sum, data := all[:sha256.Size], all[sha256.Size:]
	have := sha256.Sum256(data)
	return data, bytes.Equal(sum, have[:])
}

// cacheFits reads the header that every driver's data begins with (VkPipelineCacheHeaderVersionOne).
func cacheFits(data []byte, p *vk.Physical) bool {
	const size = 32
	if len(data) < size {
		return false
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(data[4*i:]) }
	return word(0) >= size && word(1) == 1 && word(2) == p.VendorID && word(3) == p.DeviceID &&
		bytes.Equal(data[16:size], p.PipelineCacheUUID[:])
}

// save replaces the cache file in one step: a reader sees the old one or the new one.
func (s *pipelines) save(d *Device, file string) (err error) {
	data, err := d.vk.CacheData(s.cache)
	if err != nil || len(data) == 0 || len(data) > cacheMax-1024 || bytes.Equal(data, s.stored) {
		return classify(err)
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(packCache(data))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
