package loader_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

const shard1, shard2 = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"

// writeShards writes two shards (a and c; b) with an index beside them and
// returns the index's path.
func writeShards(t *testing.T, index string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		shard1:                         loadertest.Safetensors(map[string]string{"format": "pt"}, loadertest.Floats("c", loader.F32, []int{1}, 3), loadertest.Floats("a", loader.F32, []int{1}, 1)),
		shard2:                         loadertest.Safetensors(nil, loadertest.Floats("b", loader.F16, []int{1}, 2)),
		"model.safetensors.index.json": []byte(index),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.safetensors.index.json")
}

func TestShardedCheckpointReadsAsOne(t *testing.T) {
	c := open(t, writeShards(t, `{"metadata":{"total_size":10},"weight_map":{"a":"`+shard1+`","b":"`+shard2+`","c":"`+shard1+`"}}`))
	var names []string
	var values []float64
	for _, info := range c.Tensors() {
		names = append(names, info.Name)
		values = append(values, loadertest.Read(t, c, info.Name)...)
	}
	if !reflect.DeepEqual(names, []string{"a", "b", "c"}) || !reflect.DeepEqual(values, []float64{1, 2, 3}) {
		t.Errorf("tensors %v = %v", names, values)
	}
	if c.Metadata()["format"] != "pt" {
		t.Errorf("metadata %v", c.Metadata())
	}
	if err := c.ReadTensor("d", nil, 0); err == nil {
		t.Error("a tensor that no shard has was read")
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := c.ReadTensor("b", make([]byte, 2), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestShardedCheckpointBadIndex(t *testing.T) {
	for _, tt := range []struct{ name, index, want string }{
		{"not JSON", `{`, "unexpected end"},
		{"no map", `{"metadata":{}}`, "no weight_map"},
		{"map of numbers", `{"weight_map":{"a":1}}`, "cannot unmarshal"},
		{"outside the folder", `{"weight_map":{"a":"../x.safetensors"}}`, "not beside the index"},
		{"absolute", `{"weight_map":{"a":"/x.safetensors"}}`, "not beside the index"},
		{"not in the index", `{"weight_map":{"a":"` + shard1 + `"}}`, `tensor "c" is in shard`},
		{"in another shard", `{"weight_map":{"a":"` + shard2 + `","b":"` + shard2 + `","c":"` + shard1 + `"}}`, `tensor "a" is in shard`},
		{"in no shard", `{"weight_map":{"b":"` + shard2 + `","z":"` + shard2 + `"}}`, `tensor "z" is not in shard`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loader.OpenSafetensors(writeShards(t, tt.index))
			if !errors.Is(err, loader.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrCorrupt with %q", err, tt.want)
			}
		})
	}
	_, err := loader.OpenSafetensors(writeShards(t, `{"weight_map":{"a":"gone.safetensors"}}`))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "gone.safetensors") {
		t.Errorf("missing shard: %v", err)
	}
}
