package bitgpu

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/loader"
)

// StageTime is the time that a part of the way from a picture to its answer took.
type StageTime struct {
	Name string // "preprocess", "stem", "stage 1" and so on, "head"
	Time time.Duration
}

// Profile runs one picture as Classify and Features do, and takes the time of each part: of the preprocessing by the
// host's clock, of the network's parts by that of the device, without what else it did meanwhile where it works in slices
// (Options.SliceBudget). A device that cannot tell the time leaves the network's parts out.
func (m *Model) Profile(ctx context.Context, img image.Image, want Outputs) (*Output, []StageTime, error) {
	if img == nil {
		return nil, nil, errors.New("bitgpu: no picture")
	}
	start := time.Now()
	p, err := m.picture(loader.FromGoImage(img), new(waiting))
	if err != nil {
		return nil, nil, err
	}
	stages := []StageTime{{"preprocess", time.Since(start)}}
	spec := m.pictures(1, want)
	spec.Profile = true
	out, err := m.single(ctx, p, spec)
	if err != nil {
		return nil, nil, err
	}
	return out, append(stages, stageTimes(out.Times)...), nil
}

// stageTimes adds the times of a network's steps up.
func stageTimes(steps []gpu.StepTime) []StageTime {
	var stages []StageTime
	for _, s := range steps {
		name := stageOf(s.Name)
		i := len(stages) - 1
		for i >= 0 && stages[i].Name != name {
			i--
		}
		if i < 0 {
			stages = append(stages, StageTime{Name: name})
			i = len(stages) - 1
		}
		stages[i].Time += s.Duration
	}
	return stages
}

// stageOf is the part of a network that a step of a plan, named after its layer, belongs to.
func stageOf(step string) string {
	if rest, ok := strings.CutPrefix(step, "stages."); ok {
		var i int
		if _, err := fmt.Sscanf(rest, "%d.", &i); err == nil {
			return fmt.Sprintf("stage %d", i+1)
		}
	}
	if step == "input" || strings.HasPrefix(step, "stem.") {
		return "stem"
	}
	return "head"
}
