package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/gpu"
)

// TestDevices compares both lists with gpu.Enumerate, and opens a device by what the list says.
func TestDevices(t *testing.T) {
	want, err := gpu.Enumerate()
	if err != nil {
		t.Fatal(err)
	}
	table := bitgpuRun(t, exitOK, "devices").stdout
	rows := strings.Split(strings.TrimSpace(bitgpuRun(t, exitOK, "devices", "--json").stdout), "\n")
	if len(rows) != len(want) {
		t.Fatalf("%d rows for %d devices", len(rows), len(want))
	}
	stars := 0
	for i, d := range want {
		var got device
		if err := json.Unmarshal([]byte(rows[i]), &got); err != nil {
			t.Fatal(err)
		}
		got.Free = d.BudgetBytes // changes all the time
		if got != newDevice(d) || got.Index != i || got.MaxStorageBufferRange == 0 {
			t.Errorf("%+v, want %+v", got, newDevice(d))
		}
		wants(t, table, d.Name, d.UUID.String(), driver(d))
		if d.Auto {
			stars++
			wants(t, table, "* "+string(rune('0'+i))+"  "+d.Name)
		}
		bitgpuRun(t, exitOK, "run", "--model", "demo", "--device", got.UUID, cat)
	}
	if stars != 1 || strings.Count(table, "* ") != 1 {
		t.Errorf("%d devices are automatic:\n%s", stars, table)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1 << 20: "1 MiB", 3 << 29: "1.5 GiB", 1 << 60: "1.049e+06 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
