package loader_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

const torchDir = "testdata/torch/"

// TestTorchTensors reads what torch.save wrote of every element type and order of strides.
func TestTorchTensors(t *testing.T) {
	count := func(n int, at func(i int) int) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(at(i))
		}
		return values
	}
	type wanted struct {
		dtype  loader.DType
		shape  []int
		values []float64
	}
	identity := func(i int) int { return i }
	want := map[string]wanted{
		"scalar":        {loader.F32, []int{}, []float64{2.5}},
		"empty":         {loader.F32, []int{0, 3}, []float64{}},
		"parameter":     {loader.F32, []int{4}, count(4, identity)},
		"shared":        {loader.F32, []int{120}, count(120, identity)},
		"offset":        {loader.F32, []int{20}, count(20, func(i int) int { return 100 + i })},
		"transposed":    {loader.F32, []int{12, 10}, count(120, func(i int) int { return i%10*12 + i/10 })},
		"channels_last": {loader.F32, []int{2, 3, 4, 5}, count(120, identity)},
		"hwio":          {loader.F32, []int{5, 4, 2, 3}, count(120, func(i int) int { return i/6%4*5 + i/24 + i%6*20 })},
		"columns":       {loader.F32, []int{10, 6}, count(60, func(i int) int { return i/6*12 + 3 + i%6 })},
	}
	for name, dtype := range map[string]loader.DType{"float32": loader.F32, "float16": loader.F16, "bfloat16": loader.BF16, "float64": loader.F64, "int64": loader.I64} {
		want[name] = wanted{dtype, []int{2, 3}, count(6, identity)}
	}
	for _, file := range []string{"tensors.pth", "tensors_legacy.pth", "tensors_protocol4.pth"} {
		t.Run(file, func(t *testing.T) {
			f := loadertest.Open(t, torchDir+file)
			infos := map[string]loader.TensorInfo{}
			for _, info := range f.Tensors() {
				infos[info.Name] = info
			}
			if len(infos) != len(want)+5 { // and the small integers
				t.Errorf("%d tensors", len(infos))
			}
			for name, d := range map[string]loader.DType{"int32": loader.I32, "int16": loader.I16, "int8": loader.I8, "uint8": loader.U8, "bool": loader.Bool} {
				if infos[name].DType != d || infos[name].Len() != 6 {
					t.Errorf("%s is %v", name, infos[name])
				}
			}
			for name, w := range want {
				if info := infos[name]; info.DType != w.dtype || !slices.Equal(info.Shape, w.shape) {
					t.Errorf("%s is %v, want %v %v", name, info, w.dtype, w.shape)
				} else if got := loadertest.Read(t, f, name); !slices.Equal(got, w.values) {
					t.Errorf("%s is %v, want %v", name, got, w.values)
				}
			}
		})
	}
}

func TestTorchRefuses(t *testing.T) {
	for file, want := range map[string]struct {
		text    string
		corrupt bool
	}{
		"object.pth":     {`"__main__.Plain"`, true},
		"expanded.pth":   {"leave gaps or overlap", false},
		"gaps.pth":       {"leave gaps or overlap", false},
		"one_tensor.pth": {"one tensor, want a dict", false},
		"script.pth":     {"TorchScript", false},
	} {
		_, err := loader.Open(torchDir + file)
		if err == nil || !strings.Contains(err.Error(), want.text) || errors.Is(err, loader.ErrCorrupt) != want.corrupt || !strings.HasPrefix(err.Error(), "loader: "+torchDir+file) {
			t.Errorf("%s: error %v", file, err)
		}
	}
}

// torchZip is an archive as torch.save writes it, with this pickle and one storage of 16 bytes.
func torchZip(t testing.TB, pickle string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, data := range map[string]string{"archive/data.pkl": pickle, "archive/data/0": strings.Repeat("\x00", 16), "../../archive/data/1": "x"} {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tensorPickle is the pickle of {"w": a tensor}; the parts are opcodes.
func tensorPickle(storage, offset, shape, strides string) string {
	return "\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage" + storage + "tQ" + offset + shape + strides + "\x89NtRs."
}

const (
	floatStorage = "ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04"
	pair         = "K\x02K\x02\x86" // (2, 2)
	pairStrides  = "K\x02K\x01\x86" // (2, 1)
)

func TestHostilePickles(t *testing.T) {
	sound := tensorPickle(floatStorage, "K\x00", pair, pairStrides)
	f := loadertest.Open(t, loadertest.File(t, "m", torchZip(t, sound)))
	if got := loadertest.Read(t, f, "w"); !slices.Equal(got, make([]float64, 4)) {
		t.Errorf("the sound one holds %v", got)
	}
	global := func(module, name string) string {
		return "\x80\x02c" + module + "\n" + name + "\nX\x02\x00\x00\x00id\x85R."
	}
	for _, tt := range []struct{ name, pickle, want string }{
		{"os.system", global("os", "system"), `"os.system"`},
		{"posix.system by INST", "(X\x02\x00\x00\x00idiposix\nsystem\n.", `"posix.system"`},
		{"eval by STACK_GLOBAL", "\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", `"builtins.eval"`},
		{"torch.load", global("torch", "load"), `"torch.load"`},
		{"torch.storage._load_from_bytes", global("torch.storage", "_load_from_bytes"), `"torch.storage._load_from_bytes"`},
		{"numpy array", global("numpy.core.multiarray", "_reconstruct"), `"numpy.core.multiarray._reconstruct"`},
		{"getattr", global("__builtin__", "getattr"), `"__builtin__.getattr"`},
		{"copy_reg", "\x80\x02ccopy_reg\n_reconstructor\nc__builtin__\nobject\nc__builtin__\nobject\nN\x87R.", `"copy_reg._reconstructor"`},
		{"extension registry", "\x80\x02\x82\x01.", "extension"},
		{"out-of-band buffer", "\x80\x05\x97.", "out-of-band"},
		{"persistent id of a line", "P0\n.", "none to a storage"},
		{"storage of another kind", tensorPickle("X\x01\x00\x00\x000X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04", "K\x00", pair, pairStrides), "without type"},
		{"storage that is missing", tensorPickle(strings.Replace(floatStorage, "\x000X", "\x001X", 1), "K\x00", pair, pairStrides), "is missing"},
		{"storage outside the archive", tensorPickle("ctorch\nFloatStorage\nX\x15\x00\x00\x00../../../archive/../0X\x03\x00\x00\x00cpuK\x04", "K\x00", pair, pairStrides), "is missing"},
		{"storage larger than its bytes", tensorPickle(strings.Replace(floatStorage, "K\x04", "K\x05", 1), "K\x00", pair, pairStrides), "has 16 bytes"},
		{"storage of 2^62 elements", tensorPickle(strings.Replace(floatStorage, "K\x04", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40", 1), "K\x00", pair, pairStrides), "has 16 bytes"},
		{"offset past the end", tensorPickle(floatStorage, "K\x01", pair, pairStrides), "past"},
		{"offset of 2^62", tensorPickle(floatStorage, "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40", pair, pairStrides), "past"},
		{"negative offset", tensorPickle(floatStorage, "J\xff\xff\xff\xff", pair, pairStrides), "a tensor of the arguments"},
		{"negative size", tensorPickle(floatStorage, "K\x00", "J\xff\xff\xff\xffK\x02\x86", pairStrides), "too large"},
		{"size of 2^62", tensorPickle(floatStorage, "K\x00", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x02\x86", pairStrides), "too large"},
		{"negative stride", tensorPickle(floatStorage, "K\x00", pair, "J\xff\xff\xff\xffK\x01\x86"), "out of range"},
		{"stride of 2^62", tensorPickle(floatStorage, "K\x00", "K\x03K\x02\x86", "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x01\x86"), "out of range"},
		{"fewer strides", tensorPickle(floatStorage, "K\x00", pair, "K\x01\x85"), "a tensor of the arguments"},
		{"integer that is none", tensorPickle(floatStorage, "K\x00", pair, "NK\x01\x86"), "a tensor of the arguments"},
		{"string of 2^62 bytes", "\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x40x.", "cut short"},
		{"bytes of 4 GB", "\x80\x03B\xff\xff\xff\xffx.", "cut short"},
		{"frame of 2^62 bytes", "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x40N.", "cut short"},
		{"integer of 200 bytes", "\x80\x02\x8b\xc8\x00\x00\x00" + strings.Repeat("x", 200) + ".", "integer of 200 bytes"},
		{"integer of no bytes", "\x80\x02\x8a\x00.", "pickle"},
		{"dict of three", "(NNNd.", "pickle"},
		{"list as a key", "\x80\x02ccollections\nOrderedDict\n)R](K\x01s.", "pickle"},
		{"key that has no hash", "\x80\x02ccollections\nOrderedDict\n)RC\x01xNs.", "pickle"},
		{"pop of nothing", "0.", "pickle"},
		{"end without a value", "\x80\x02.", "pickle"},
		{"opcode that does not exist", "\x80\x02\xff.", "opcode 0xff"},
		{"protocol that does not exist", "\x80\x09N.", "protocol"},
		{"line without end", "I" + strings.Repeat("1", 10000), "a line does not end"},
		{"two million marks", strings.Repeat("(", 2<<20) + ".", "too many opcodes"},
		{"cut short", sound[:len(sound)-3], "cut short"},
		{"empty", "", "cut short"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := loadertest.File(t, "m", torchZip(t, tt.pickle))
			_, err := loader.Open(file)
			if !errors.Is(err, loader.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "loader: "+file) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	for _, tt := range []struct{ name, pickle, want string }{
		{"copy_reg by STACK_GLOBAL", "\x80\x04\x8c\x08copy_reg\x8c\x0e_reconstructor\x93.", "holds reconstructor"},
		{"list that holds itself", "\x80\x02]q\x00h\x00a.", "holds list"},
		{"dict that holds itself", "\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.", "no tensors"},
		{"dict without tensors", "\x80\x02}X\x01\x00\x00\x00aK\x01s.", "no tensors under names, but a"},
	} {
		if _, err := loader.Open(loadertest.File(t, "m", torchZip(t, tt.pickle))); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

// TestTorchCutShort cuts files of both forms anywhere.
func TestTorchCutShort(t *testing.T) {
	for _, name := range []string{"tensors.pth", "tensors_legacy.pth"} {
		whole, err := os.ReadFile(torchDir + name)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "m")
		for n := 0; n < len(whole); n += 1 + len(whole)/150 {
			if err := os.WriteFile(file, whole[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := loader.Open(file); !errors.Is(err, loader.ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

// FuzzOpen opens whatever comes, and reads all tensors of what opens.
func FuzzOpen(f *testing.F) {
	for _, file := range []string{"tensors.pth", "tensors_legacy.pth", "tensors_protocol4.pth", "object.pth", "script.pth"} {
		data, err := os.ReadFile(torchDir + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(torchZip(f, tensorPickle(floatStorage, "K\x00", pair, pairStrides)))
	f.Add(npzOf(f, zip.Deflate, map[string][]byte{"a": npyOf("<f4", true, []int{2, 3}, make([]byte, 24)), "b": npyOf("<f2", false, []int{2}, make([]byte, 4))}))
	f.Add(loadertest.Safetensors(nil, loadertest.Bytes("a", []byte("abc"))))
	f.Fuzz(func(t *testing.T, data []byte) { openAll(t, data) })
}

// FuzzPickle puts any pickle into a sound archive.
func FuzzPickle(f *testing.F) {
	f.Add(tensorPickle(floatStorage, "K\x00", pair, pairStrides))
	f.Add("\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94.")
	f.Add("(lp0\ng0\na.")
	f.Fuzz(func(t *testing.T, pickle string) { openAll(t, torchZip(t, pickle)) })
}

func openAll(t *testing.T, data []byte) {
	t.Helper()
	c, err := loader.OpenReader(bytes.NewReader(data), int64(len(data)), "m")
	if err != nil {
		return
	}
	defer c.Close()
	for _, info := range c.Tensors() {
		if n := info.Bytes(); n < 0 || n > 1<<20 {
			continue
		}
		_ = c.ReadTensor(info.Name, make([]byte, info.Bytes()), 0) // an error is as good
	}
}
