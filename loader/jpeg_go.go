//go:build !turbojpeg

package loader

// chosenJPEG is the JPEG decoder of this build; with the tag turbojpeg it is
// libjpeg-turbo's (jpeg_turbo.go).
func chosenJPEG(data []byte, limits DecodeLimits) (*Image, error) { return decodeJPEG(data, limits) }
