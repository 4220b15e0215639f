package loader

// This file owns the header of a safetensors file, as the format's
// specification has it (github.com/huggingface/safetensors, README, "Format"):
//
//	u64 little-endian  N, the header's length
//	N bytes            a JSON object, padded with spaces; name -> {dtype, shape, data_offsets [begin, end)}
//	the rest           the data; offsets count from its first byte
//
// with no duplicate name, and with data that the tensors cover completely,
// without holes and without overlap. Nothing here trusts a number before it is
// checked, and memory stays proportional to the header's length.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"unicode/utf8"
)

// headerEntry is one tensor of a header; [begin, end) are bytes of the data.
type headerEntry struct {
	TensorInfo
	begin, end int64
}

// parseHeader decodes the JSON object. The entries come in file order and each
// is sound by itself: a known type, a shape whose size is end - begin.
func parseHeader(header []byte) ([]headerEntry, map[string]string, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("does not begin with '{'")
	}
	if !utf8.Valid(header) {
		return nil, nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	dec.UseNumber()
	var (
		entries []headerEntry
		meta    map[string]string
	)
	err := decodeObject(dec, func(name string) error {
		if name == "__metadata__" {
			meta = map[string]string{}
			return decodeObject(dec, func(key string) error {
				v, err := decodeString(dec)
				meta[key] = v
				return err
			})
		}
		e, err := decodeEntry(dec, name)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if rest := bytes.Trim(header[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, nil, fmt.Errorf("%d bytes after the JSON object", len(rest))
	}
	return entries, meta, nil
}

// decodeEntry reads the object that describes one tensor. Keys that the format
// does not know are skipped, as its reference implementation does.
func decodeEntry(dec *json.Decoder, name string) (headerEntry, error) {
	e := headerEntry{TensorInfo: TensorInfo{Name: name}, begin: -1}
	var dtype string
	err := decodeObject(dec, func(key string) error {
		switch key {
		case "dtype":
			var err error
			dtype, err = decodeString(dec)
			return err
		case "shape":
			dims, err := decodeInts(dec)
			for _, d := range dims {
				if int64(int(d)) != d {
					return fmt.Errorf("dimension %d is too large", d)
				}
				e.Shape = append(e.Shape, int(d))
			}
			if e.Shape == nil {
				e.Shape = []int{}
			}
			return err
		case "data_offsets":
			span, err := decodeInts(dec)
			if err == nil && len(span) != 2 {
				err = fmt.Errorf("has %d numbers, want 2", len(span))
			}
			if err == nil {
				e.begin, e.end = span[0], span[1]
			}
			return err
		}
		var skipped json.RawMessage
		return dec.Decode(&skipped)
	})
	if err == nil {
		err = e.complete(dtype)
	}
	return e, err
}

// complete sets the type and checks the entry against itself.
func (e *headerEntry) complete(dtype string) error {
	switch {
	case dtype == "":
		return errors.New("has no dtype")
	case e.Shape == nil:
		return errors.New("has no shape")
	case e.begin < 0:
		return errors.New("has no data_offsets")
	case e.end < e.begin:
		return fmt.Errorf("data_offsets [%d %d] run backwards", e.begin, e.end)
	}
	var ok bool
	if e.DType, ok = parseDType(dtype); !ok {
		return fmt.Errorf("dtype %q is unknown", dtype)
	}
	size := e.Bytes()
	if size < 0 {
		return fmt.Errorf("shape %v is too large", e.Shape)
	}
	if size != e.end-e.begin {
		return fmt.Errorf("%s of shape %v has %d bytes, but data_offsets [%d %d] span %d",
			e.DType, e.Shape, size, e.begin, e.end, e.end-e.begin)
	}
	return nil
}

// checkLayout makes sure that the tensors cover the data's size bytes exactly.
// It sorts entries by their place.
func checkLayout(entries []headerEntry, size int64) error {
	sort.Slice(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		if a.begin != b.begin {
			return a.begin < b.begin
		}
		return a.end < b.end
	})
	end := int64(0)
	for _, e := range entries {
		switch {
		case e.begin < end:
			return fmt.Errorf("tensor %q: data_offsets [%d %d] overlap another tensor", e.Name, e.begin, e.end)
		case e.end > size:
			return fmt.Errorf("tensor %q: data_offsets [%d %d] end past the file's %d bytes of data", e.Name, e.begin, e.end, size)
		case e.begin > end:
			return fmt.Errorf("tensor %q: bytes %d to %d before it belong to no tensor", e.Name, end, e.begin)
		}
		end = e.end
	}
	if end < size {
		return fmt.Errorf("the last %d bytes belong to no tensor", size-end)
	}
	return nil
}

// decodeObject reads a JSON object and calls field for each key; field must
// consume the value. A key that comes twice is an error, which encoding/json
// would let pass; errors of field are given the key.
func decodeObject(dec *json.Decoder, field func(key string) error) error {
	if err := decodeDelim(dec, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := decodeString(dec)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%q comes twice", key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
	}
	return decodeDelim(dec, '}')
}

// decodeInts reads a JSON array of non-negative integers. The decoder must be
// one with UseNumber.
func decodeInts(dec *json.Decoder) ([]int64, error) {
	if err := decodeDelim(dec, '['); err != nil {
		return nil, err
	}
	var ints []int64
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		number, _ := t.(json.Number)
		v, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("found %v, want a non-negative integer", t)
		}
		ints = append(ints, v)
	}
	return ints, decodeDelim(dec, ']')
}

func decodeString(dec *json.Decoder) (string, error) {
	t, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("found %v, want a string", t)
	}
	return s, nil
}

func decodeDelim(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("found %v, want %v", t, want)
	}
	return nil
}
