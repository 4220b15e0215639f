//go:build turbojpeg

// This file owns JPEG by libjpeg-turbo, for builds with the tag turbojpeg: the
// pixels of decodeJPEG, sooner. Files that libjpeg-turbo refuses, or only warns
// about, go to decodeJPEG, so that both builds take the same files and give the
// same errors.

package loader

/*
#cgo LDFLAGS: -lturbojpeg
#include <turbojpeg.h>
*/
import "C"

import "unsafe"

// chosenJPEG is the JPEG decoder of this build.
func chosenJPEG(data []byte, limits DecodeLimits) (*Image, error) {
	m, err := turboJPEG(data, limits)
	if m == nil && err == nil {
		return decodeJPEG(data, limits)
	}
	return m, err
}

// turboJPEG decodes with libjpeg-turbo: the accurate inverse DCT, and chroma
// upsampled by triangle filters, as Pillow has it set. It returns nothing for a
// file that libjpeg-turbo cannot decode without a warning, and for one whose
// first scan lacks components: whether later ones bring them it would not say.
func turboJPEG(data []byte, limits DecodeLimits) (*Image, error) {
	if !wholeFirstScan(data) {
		return nil, nil
	}
	h := C.tjInitDecompress()
	if h == nil {
		return nil, nil
	}
	defer C.tjDestroy(h)
	source, size := (*C.uchar)(unsafe.SliceData(data)), C.ulong(len(data))
	var width, height, subsampling, colours C.int
	if C.tjDecompressHeader3(h, source, size, &width, &height, &subsampling, &colours) != 0 || width < 1 || height < 1 {
		return nil, nil
	}
	if err := limits.check(int(width), int(height)); err != nil {
		return nil, err
	}
	m := newImage(int(width), int(height))
	pixels, format := m.Pix, C.int(C.TJPF_RGB)
	inks := colours == C.TJCS_CMYK || colours == C.TJCS_YCCK
	if inks {
		pixels, format = make([]uint8, 4*len(m.Pix)/3), C.TJPF_CMYK
	}
	const flags = C.TJFLAG_ACCURATEDCT | C.TJFLAG_STOPONWARNING | C.TJFLAG_LIMITSCANS
	if C.tjDecompress2(h, source, size, (*C.uchar)(unsafe.SliceData(pixels)), width, 0, height, format, flags) != 0 {
		return nil, nil
	}
	if inks {
		m.fromStoredCMYK(pixels)
	}
	return m, nil
}

// wholeFirstScan says whether the first scan has all components of the frame.
func wholeFirstScan(data []byte) bool {
	components := -1
	for marker, body := range jpegSegments(data) {
		switch {
		case jpegSOF0 <= marker && marker <= jpegSOF2 && len(body) > 5:
			components = int(body[5])
		case marker == jpegSOS && len(body) > 0:
			return int(body[0]) == components
		}
	}
	return false
}

// fromStoredCMYK takes pixels of rowStoredCMYK's inks.
func (m *Image) fromStoredCMYK(inks []uint8) {
	for i := range len(inks) / 4 {
		d, s := m.Pix[3*i:3*i+3], inks[4*i:4*i+4]
		for c := range d {
			d[c] = underInk(255-s[c], uint32(s[3]))
		}
	}
}
