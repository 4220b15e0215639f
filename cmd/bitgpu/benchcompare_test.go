package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchRow is a row of a file of bitgpu bench.
func benchRow(model string, batch int, rate float64) row {
	return row{Model: model, Size: 64, Batch: batch, Precision: "fp16", Device: "A\x1bB", ImagesPerSec: rate, LatencyP95Ms: 1000 / rate,
		PeakShare: rate / 100, LoadSeconds: 2, DeviceBytes: 1 << 20, PeakRSS: 3 << 20}
}

// benchLines is a file of rows: values are made JSON, strings are lines as they are.
func benchLines(t *testing.T, name string, lines ...any) string {
	t.Helper()
	var text strings.Builder
	for _, l := range lines {
		line, ok := l.(string)
		if !ok {
			b, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			line = string(b)
		}
		text.WriteString(line + "\n")
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBenchCompare(t *testing.T) {
	was := benchLines(t, "old.json", benchRow("x", 1, 10), "", benchRow("x", 8, 99), benchRow("x", 8, 16))
	is := benchLines(t, "new.json", benchRow("x", 8, 8), benchRow("y", 1, 1), benchRow("x", 1, 20))
	out := bitgpuRun(t, exitOK, "bench", "compare", was, is)
	wants(t, out.stdout, "x, fp16, on A\ufffdB", "10.00      20.00   2.000x   0.500x   2.000x   1.000x   1.000x   1.000x",
		"16.00       8.00   0.500x   2.000x   0.500x")
	wants(t, out.stderr, "only "+is+" has a row of y, size 64, batch 1, fp16")
	if strings.Count(out.stdout, "\n") != 4 {
		t.Error(out.stdout)
	}

	out = bitgpuRun(t, exitOK, "bench", "compare", "--json", was, is)
	rows := benchRows(t, out.stdout)
	if len(rows) != 2 || rows[0]["model"] != "x" || rows[0]["batch"] != 1.0 || rows[0]["images_per_second_ratio"] != 2.0 ||
		rows[1]["latency_p95_ratio"] != 2.0 || rows[1]["new_images_per_second"] != 8.0 || rows[0]["cpu_seconds_ratio"] != 0.0 {
		t.Errorf("%v", rows)
	}
}

// TestBenchCompareFails has files without some rows, or without any.
func TestBenchCompareFails(t *testing.T) {
	good := benchLines(t, "good.json", benchRow("x", 1, 10))
	for _, test := range []struct {
		name   string
		was    string
		is     string
		stdout string
		stderr []string
	}{
		{"no file", good, filepath.Join(t.TempDir(), "none.json"), "", []string{"none.json: no such file"}},
		{"empty", benchLines(t, "empty.json"), good, "", []string{"empty.json: no rows"}},
		{"no JSON", good, benchLines(t, "table.json", benchRow("x", 1, 10), "size batch"), "", []string{"table.json: line 2 is no row"}},
		{"other JSON", good, benchLines(t, "other.json", `{"index":0}`), "", []string{"other.json: line 1 is no row"}},
		{"row missing", good, benchLines(t, "missing.json", benchRow("y", 1, 10)), "", []string{"missing.json has no row of x, size 64, batch 1", "only", "1 rows could not be compared"}},
		{"row failed", good, benchLines(t, "failed.json", benchRow("x", 1, 5), rowError{"x", "fp16", 64, 9, "too large"}), "0.500x",
			[]string{"failed.json: line 2: x, batch 9 failed: too large", "1 rows"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := bitgpuRun(t, exitFailed, "bench", "compare", test.was, test.is)
			wants(t, out.stdout, test.stdout)
			wants(t, out.stderr, test.stderr...)
			if test.stdout == "" && out.stdout != "" {
				t.Error(out.stdout)
			}
		})
	}
}
