package loader

// This file owns what a PyTorch pickle may hold: tensors, and the containers
// around them. Whatever else a pickle names is refused with that name; nothing in
// it is ever run.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// torchStorage is a reference to a storage: count elements that lie somewhere
// else in the file, of which first come before those that are meant.
type torchStorage struct {
	key          string
	dtype        DType
	first, count int
}

// torchTensor is a view of a storage; offset and strides are in elements.
type torchTensor struct {
	storage        *torchStorage
	offset         int
	shape, strides []int
}

// torchStorages are the storage classes of package torch.
var torchStorages = map[string]DType{
	"FloatStorage": F32, "HalfStorage": F16, "BFloat16Storage": BF16, "DoubleStorage": F64,
	"LongStorage": I64, "IntStorage": I32, "ShortStorage": I16, "CharStorage": I8, "ByteStorage": U8, "BoolStorage": Bool,
}

// storageClass is one of them in a pickle.
type storageClass struct{ dtype DType }

// unpickle reads the pickle of n bytes at begin, which scanPickle has passed. The
// element type of every storage that it refers to is put into storages.
func unpickle(src io.ReaderAt, begin, n int64, storages map[string]DType) (value any, err error) {
	// The reader panics on some malformed streams (an odd number of items for a
	// dict, a key that is a list). Such a panic leaves nothing behind.
	defer func() {
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("pickle: %v: %w", r, ErrCorrupt)
		}
	}()
	text := make([]byte, n)
	if err := readFull(src, text, begin); err != nil {
		return nil, err
	}
	u := pickle.NewUnpickler(bytes.NewReader(text))
	u.FindClass = findTorchClass
	u.PersistentLoad = func(id any) (any, error) {
		s, err := findTorchStorage(id)
		if err != nil {
			return nil, err
		}
		storages[s.key] = s.dtype
		return s, nil
	}
	if value, err = u.Load(); err != nil {
		return nil, fmt.Errorf("pickle: %w: %w", err, ErrCorrupt)
	}
	return value, nil
}

// findTorchClass is the list of globals that a pickle may name, but for
// collections.OrderedDict, which the reader knows.
func findTorchClass(module, name string) (any, error) {
	if dtype, ok := torchStorages[name]; ok && module == "torch" {
		return storageClass{dtype}, nil
	}
	if module == "torch._utils" {
		switch name {
		case "_rebuild_tensor", "_rebuild_tensor_v2":
			return rebuild(rebuildTensor), nil
		case "_rebuild_parameter":
			return rebuild(rebuildParameter), nil
		}
	}
	return nil, errGlobal(module, name)
}

// errGlobal says which global a pickle names that has no place in a checkpoint.
func errGlobal(module, name string) error {
	return fmt.Errorf("it needs %q, and only tensors and plain containers are read", module+"."+name)
}

// rebuild is a function of package torch._utils, as far as data go.
type rebuild func(args []any) (*torchTensor, error)

// Call implements types.Callable.
func (f rebuild) Call(args ...any) (any, error) { return f(args) }

// rebuildTensor takes storage, offset, size and stride, and what does not matter.
func rebuildTensor(args []any) (*torchTensor, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	t := &torchTensor{}
	var ok [4]bool
	t.storage, ok[0] = args[0].(*torchStorage)
	t.offset, ok[1] = args[1].(int)
	t.shape, ok[2] = intTuple(args[2])
	t.strides, ok[3] = intTuple(args[3])
	if ok != [4]bool{true, true, true, true} || t.offset < 0 || len(t.shape) != len(t.strides) {
		return nil, fmt.Errorf("a tensor of the arguments %.200q", fmt.Sprint(args[:4]...))
	}
	return t, nil
}

func rebuildParameter(args []any) (*torchTensor, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*torchTensor); ok {
			return t, nil
		}
	}
	return nil, errors.New("a parameter without a tensor")
}

func intTuple(v any) ([]int, bool) {
	tuple, ok := v.(*types.Tuple)
	if !ok {
		return nil, false
	}
	ints := make([]int, tuple.Len())
	for i := range ints {
		if ints[i], ok = tuple.Get(i).(int); !ok {
			return nil, false
		}
	}
	return ints, true
}

// findTorchStorage reads a persistent id: ("storage", class, key, location,
// elements), and in the older format a view, which is None or (key, offset, elements).
func findTorchStorage(id any) (*torchStorage, error) {
	tuple, ok := id.(*types.Tuple)
	if !ok || tuple.Len() < 5 || tuple.Get(0) != "storage" {
		return nil, errors.New("a reference that is none to a storage")
	}
	class, ok1 := tuple.Get(1).(storageClass)
	key, ok2 := tuple.Get(2).(string)
	count, ok3 := tuple.Get(4).(int)
	if !ok1 || !ok2 || !ok3 || count < 0 {
		return nil, errors.New("a storage without type, key or size")
	}
	s := &torchStorage{key: key, dtype: class.dtype, count: count}
	if tuple.Len() > 5 && tuple.Get(5) != nil {
		view, ok := tuple.Get(5).(*types.Tuple)
		if !ok || view.Len() != 3 {
			return nil, fmt.Errorf("storage %q: a view that is none", key)
		}
		first, ok1 := view.Get(1).(int)
		n, ok2 := view.Get(2).(int)
		if !ok1 || !ok2 || first < 0 || n < 0 || first > count || n > count-first {
			return nil, fmt.Errorf("storage %q: a view out of range", key)
		}
		s.first, s.count = first, first+n
	}
	return s, nil
}

// stateDictKeys are the keys of a training checkpoint that hold the weights, in
// the order in which timm's load_state_dict prefers them.
var stateDictKeys = []string{"state_dict_ema", "model_ema", "state_dict", "model_state", "model"}

// stateDict returns the named tensors of an unpickled checkpoint. Entries of a
// state dict that are no tensors are left out.
func stateDict(v any) (map[string]*torchTensor, error) {
	dict, ok := dictEntries(v)
	if !ok {
		return nil, fmt.Errorf("holds %s, want a dict of tensors", kindOf(v))
	}
	for range 3 { // a dict in a dict in a dict is as deep as they are nested
		inner := false
		for _, key := range stateDictKeys {
			if entries, ok := dictEntries(dict[key]); ok {
				dict, inner = entries, true
				break
			}
		}
		if !inner {
			break
		}
	}
	tensors := map[string]*torchTensor{}
	for name, v := range dict {
		if t, ok := v.(*torchTensor); ok {
			tensors[name] = t
		}
	}
	if len(tensors) == 0 {
		return nil, fmt.Errorf("holds no tensors under names, but %.200s", strings.Join(sortedKeys(dict), ", "))
	}
	return tensors, nil
}

// dictEntries returns the entries of a dict whose keys are strings.
func dictEntries(v any) (map[string]any, bool) {
	entries := map[string]any{}
	switch d := v.(type) {
	case *types.Dict:
		for _, e := range *d {
			if key, ok := e.Key.(string); ok {
				entries[key] = e.Value
			}
		}
	case *types.OrderedDict:
		for key, e := range d.Map {
			if key, ok := key.(string); ok {
				entries[key] = e.Value
			}
		}
	default:
		return nil, false
	}
	return entries, true
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case *torchTensor:
		return "one tensor"
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", v), "*types."))
}
