package gpu

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// The Vulkan versions that instances are made for, and that devices must have.
const (
	instanceVersion = 1<<22 | 3<<12
	oldestVersion   = 1<<22 | 1<<12
)

// candidate is a device that can be opened.
type candidate struct {
	physical *vk.Physical
	families families
	info     Info
}

// Enumerate lists the devices that Open can open, in the loader's order; Info.Index counts them and
// Info.Auto marks the one that "auto" stands for. ErrNoVulkan without a loader, ErrNoDevice if the list would be empty.
func Enumerate() ([]Info, error) {
	_, in, err := newInstance(false)
	if err != nil {
		return nil, err
	}
	defer in.Destroy()
	return listInfos(in)
}

// listInfos describes the devices that can be used.
func listInfos(in *vk.Instance) ([]Info, error) {
	all, err := listCandidates(in)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, len(all))
	for i, c := range all {
		infos[i] = c.info
	}
	return infos, nil
}

// Loader describes the Vulkan loader that devices are found through.
type Loader struct {
	Name    string  // of the library, as it was opened
	Version Version // the highest of Vulkan that it has
}

// FindLoader opens the loader that Open and Enumerate use. The error wraps ErrNoVulkan and says what to install.
func FindLoader() (Loader, error) {
	l, err := vk.OpenLoader()
	if err != nil {
		return Loader{}, fmt.Errorf("%w: %w", ErrNoVulkan, err)
	}
	return Loader{l.Name, Version(l.Version())}, nil
}

// newInstance opens the loader and makes an instance.
func newInstance(validation bool) (*vk.Loader, *vk.Instance, error) {
	loader, err := vk.OpenLoader()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoVulkan, err)
	}
	if v := loader.Version(); v < oldestVersion {
		return nil, nil, fmt.Errorf("%w: %s has Vulkan %v, 1.1 is needed", ErrNoVulkan, loader.Name, Version(v))
	}
	if validation && !loader.HasLayer(vk.ValidationLayer) {
		return nil, nil, fmt.Errorf("gpu: the validation layer %s is not installed; %s", vk.ValidationLayer,
			"on Debian and Ubuntu: apt-get install vulkan-validationlayers")
	}
	in, err := vk.NewInstance(loader, validation)
	if errors.Is(err, vk.IncompatibleDriver) {
		return nil, nil, fmt.Errorf("%w: no Vulkan driver is installed (%w)\n%s", ErrNoDevice, err, installDriver)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("gpu: %w", classify(err))
	}
	return loader, in, nil
}

// listCandidates returns the devices that can be used: Vulkan 1.1 and a queue that computes.
func listCandidates(in *vk.Instance) ([]candidate, error) {
	handles, err := in.PhysicalDevices()
	if err != nil {
		return nil, fmt.Errorf("gpu: %w", classify(err))
	}
	var all []candidate
	var unfit []string
	for _, h := range handles {
		p, err := in.Describe(h, instanceVersion)
		switch {
		case err != nil:
			return nil, fmt.Errorf("gpu: %w", classify(err))
		case p.APIVersion < oldestVersion:
			unfit = append(unfit, fmt.Sprintf("%s has Vulkan %v, 1.1 is needed", p.Name, Version(p.APIVersion)))
			continue
		}
		f := chooseFamilies(p.Families)
		if f.compute < 0 {
			unfit = append(unfit, p.Name+" has no compute queue")
			continue
		}
		c := candidate{p, f, describe(p, f, p.Features)}
		c.info.Index = len(all)
		all = append(all, c)
	}
	if len(all) == 0 {
		reason := "the Vulkan loader finds none"
		if len(unfit) > 0 {
			reason = strings.Join(unfit, "; ")
		}
		return nil, fmt.Errorf("%w: %s\n%s", ErrNoDevice, reason, installDriver)
	}
	infos := make([]Info, len(all))
	for i, c := range all {
		infos[i] = c.info
	}
	all[autoDevice(infos)].info.Auto = true
	return all, nil
}

// All as a selection stands for every device that is worth its share of the work.
const All = "all"

// Select finds the devices that a selection names in a list of Enumerate: one as Options.Device names it;
// several of them with commas between, in that order; or "all", which is every device but for CPUs where there is
// something else, and each only once where several drivers offer it. A device that is named twice is an error.
func Select(all []Info, selection string) ([]Info, error) {
	if len(all) == 0 {
		return nil, ErrNoDevice
	}
	if strings.TrimSpace(selection) == All {
		return selectAll(all), nil
	}
	// Names of devices may have commas.
	if i, err := chooseDevice(all, selection); err == nil || !strings.ContainsRune(selection, ',') {
		if err != nil {
			return nil, err
		}
		return []Info{all[i]}, nil
	}
	var chosen []Info
	for _, name := range strings.Split(selection, ",") {
		if strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("gpu: a device is missing in %q", selection)
		}
		i, err := chooseDevice(all, name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(chosen, func(d Info) bool { return d.Index == all[i].Index }) {
			return nil, fmt.Errorf("gpu: %q names device %d, %s, twice", selection, all[i].Index, all[i].Name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func selectAll(all []Info) []Info {
	onlyCPUs := all[autoDevice(all)].Type == CPU
	var chosen []Info
	for _, d := range all {
		same := func(o Info) bool { return o.UUID == d.UUID && o.UUID != (UUID{}) }
		if (onlyCPUs || d.Type != CPU) && !slices.ContainsFunc(chosen, same) {
			chosen = append(chosen, d)
		}
	}
	return chosen
}

// autoDevice picks the first of the best kind: a CPU comes last.
func autoDevice(all []Info) int {
	rank := map[Type]int{Discrete: 0, Integrated: 1, Virtual: 2, Other: 3, CPU: 4}
	best := 0
	for i, v := range all {
		if rank[v.Type] < rank[all[best].Type] {
			best = i
		}
	}
	return best
}

// chooseDevice finds the device that Options.Device names in a list that is not empty. One or two digits
// are an index, a UUID has dashes or none; of several devices whose names fit, the best kind is taken.
func chooseDevice(all []Info, name string) (int, error) {
	var fit []int
	switch want := strings.ToLower(strings.TrimSpace(name)); want {
	case "", "auto":
		return autoDevice(all), nil
	case "cpu":
		for i, v := range all {
			if v.Type == CPU {
				fit = append(fit, i)
			}
		}
	default:
		// "7" is an index even where there are fewer devices, and not part of a name; "1080" is.
		if i, err := strconv.Atoi(want); err == nil && len(want) <= 2 {
			if i >= 0 && i < len(all) {
				return i, nil
			}
			break
		}
		id := strings.ReplaceAll(want, "-", "")
		for i, v := range all {
			if fmt.Sprintf("%x", v.UUID[:]) == id {
				return i, nil
			}
			if strings.Contains(strings.ToLower(v.Name), want) {
				fit = append(fit, i)
			}
		}
	}
	if len(fit) > 0 {
		named := make([]Info, len(fit))
		for k, i := range fit {
			named[k] = all[i]
		}
		return fit[autoDevice(named)], nil
	}
	var list strings.Builder
	for i, v := range all {
		fmt.Fprintf(&list, "\n  %d  %s  %s  %s", i, v.UUID, v.Type, v.Name)
	}
	return 0, fmt.Errorf("%w: %q is none of auto, cpu, or an index, UUID or part of a name in this list:%s", ErrNoDevice, name, list.String())
}
