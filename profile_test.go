package bitgpu

import (
	"image"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
)

func TestStageTimes(t *testing.T) {
	got := stageTimes([]gpu.StepTime{{Name: "input", Duration: 1}, {Name: "stem.conv", Duration: 2}, {Name: "stages.0.blocks.0.conv1", Duration: 3},
		{Name: "stages.11.blocks.0.norm2.stats", Duration: 4}, {Name: "stages.0.blocks.1.add.export", Duration: 5}, {Name: "norm.stats", Duration: 6}, {Name: "head.fc", Duration: 7}})
	want := []StageTime{{"stem", 3}, {"stage 1", 8}, {"stage 12", 4}, {"head", 13}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}

func TestProfile(t *testing.T) {
	m, err := Open(t.Context(), Demo, Options{Validation: true, CacheDir: "none", SliceBudget: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	img := image.NewGray(image.Rect(0, 0, 80, 70))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i)
	}
	out, stages, err := m.Profile(t.Context(), img, Outputs{Logits: true, Maps: 1 << 1})
	if err != nil {
		t.Fatal(err)
	}
	top, err := m.Classify(t.Context(), img, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Top(out.Logits.Data, 1); got[0] != top[0] || out.Maps[1] == nil {
		t.Errorf("%v, want %v", got, top)
	}
	names := []string{"preprocess", "stem"}
	for i := range m.Info().Config.Maps() - 1 {
		names = append(names, "stage "+string(rune('1'+i)))
	}
	names = append(names, "head")
	if m.Info().Device.Limits.TimestampPeriod == 0 {
		names = names[:1]
	}
	for i, name := range names {
		if i >= len(stages) || stages[i].Name != name || stages[i].Time <= 0 {
			t.Fatalf("stages %v, want %v", stages, names)
		}
	}
	if _, _, err := m.Profile(t.Context(), nil, Outputs{Logits: true}); err == nil {
		t.Error("no picture was run")
	}
}
