package loader_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// generatedGolden is one line of a *_weights_crc32.txt file: a tensor of a
// real network and the CRC-32 (IEEE) of its generated float32 bytes, computed
// by an independent implementation.
type generatedGolden struct {
	info loader.TensorInfo
	crc  uint32
}

func readGenerated(t *testing.T, path string) []generatedGolden {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var golden []generatedGolden
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		g := generatedGolden{info: loader.TensorInfo{Name: f[0]}}
		if err := json.Unmarshal([]byte(f[1]), &g.info.Shape); err != nil {
			t.Fatal(err)
		}
		crc, err := strconv.ParseUint(f[2], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		g.crc = uint32(crc)
		golden = append(golden, g)
	}
	return golden
}

func TestGeneratedWeightsAreTheGoldenOnes(t *testing.T) {
	for _, tt := range []struct {
		file    string
		tensors int
		every   int // of the tensors above 1 MiB, check one in so many
	}{
		{"testdata/50x1_224_weights_crc32.txt", 153, 1},
		{"testdata/152x2_384_weights_crc32.txt", 459, 16},
	} {
		golden := readGenerated(t, tt.file)
		if len(golden) != tt.tensors {
			t.Fatalf("%s: %d tensors", tt.file, len(golden))
		}
		var infos []loader.TensorInfo
		for _, g := range golden {
			infos = append(infos, g.info)
		}
		c := loader.Generated(infos)
		piece := make([]byte, 1<<16+1) // odd, so that pieces cut elements
		large := 0
		for _, g := range golden {
			if g.info.Bytes() > 1<<20 {
				if large++; large%tt.every != 0 {
					continue
				}
			}
			crc := crc32.NewIEEE()
			for off := int64(0); off < g.info.Bytes(); {
				p := piece[:min(int64(len(piece)), g.info.Bytes()-off)]
				if err := c.ReadTensor(g.info.Name, p, off); err != nil {
					t.Fatal(err)
				}
				crc.Write(p)
				off += int64(len(p))
			}
			if crc.Sum32() != g.crc {
				t.Errorf("%s: %s: CRC-32 %08x, want %08x", tt.file, g.info.Name, crc.Sum32(), g.crc)
			}
		}
	}
}

func TestGeneratedWeightsAreOfTheirName(t *testing.T) {
	c := loader.Generated([]loader.TensorInfo{
		{Name: "stem.conv.weight", DType: loader.F16, Shape: []int{2}}, {Name: "norm.bias", Shape: []int{1}},
	})
	// r of the golden test vectors times the scale of the name.
	if got := loadertest.Read(t, c, "stem.conv.weight"); got[0] != -0.7796802520751953/16 || got[1] != -0.3050804138183594/16 {
		t.Errorf("stem.conv.weight: %v", got)
	}
	if got := loadertest.Read(t, c, "norm.bias"); got[0] != 0.6941890716552734/4 {
		t.Errorf("norm.bias: %v", got)
	}
	if c.Tensors()[0].Name != "norm.bias" || c.Tensors()[1].DType != loader.F32 {
		t.Errorf("tensors %v: want them sorted, of F32", c.Tensors())
	}
}

func TestGeneratedPiecesAgree(t *testing.T) {
	c := loader.Generated([]loader.TensorInfo{{Name: "a.bias", Shape: []int{4}}})
	whole := make([]byte, 16)
	if err := c.ReadTensor("a.bias", whole, 0); err != nil {
		t.Fatal(err)
	}
	for off := range 17 {
		for end := off; end <= 16; end++ {
			p := make([]byte, end-off)
			if err := c.ReadTensor("a.bias", p, int64(off)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(p, whole[off:end]) {
				t.Errorf("bytes %d to %d are %x, want %x", off, end, p, whole[off:end])
			}
		}
	}
}

func TestGeneratedBadReads(t *testing.T) {
	c := loader.Generated([]loader.TensorInfo{
		{Name: "a.bias", Shape: []int{1}}, {Name: "num_batches_tracked", Shape: []int{1}}, {Name: "b.bias", Shape: []int{-1}},
	})
	for _, r := range []struct {
		name string
		n    int
		off  int64
	}{{"a.bias", 5, 0}, {"a.bias", 1, 4}, {"a.bias", 1, -1}, {"c.bias", 1, 0}, {"num_batches_tracked", 4, 0}, {"b.bias", 0, 0}} {
		if err := c.ReadTensor(r.name, make([]byte, r.n), r.off); err == nil {
			t.Errorf("%d bytes at %d of %s: no error", r.n, r.off, r.name)
		}
	}
}

func TestGeneratedInputIsTheGoldenOne(t *testing.T) {
	for _, tt := range []struct {
		h, w int
		crc  uint32
	}{{224, 224, 0x2c0afdc7}, {384, 384, 0x112f0799}, {33, 70, 0xfe7f1217}} {
		var b []byte
		for _, v := range loader.GeneratedInput(tt.h, tt.w) {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		if got := crc32.ChecksumIEEE(b); got != tt.crc || len(b) != 4*3*tt.h*tt.w {
			t.Errorf("%dx%d: %d bytes of CRC-32 %08x, want %08x", tt.h, tt.w, len(b), got, tt.crc)
		}
	}
	if loader.GeneratedInput(0, 5) != nil || loader.GeneratedInput(5, -1) != nil {
		t.Error("an input without pixels")
	}
}

func BenchmarkGenerated(b *testing.B) {
	c := loader.Generated([]loader.TensorInfo{{Name: "conv.weight", Shape: []int{1 << 20}}})
	p := make([]byte, 4<<20)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if err := c.ReadTensor("conv.weight", p, 0); err != nil {
			b.Fatal(err)
		}
	}
}
