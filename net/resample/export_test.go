package resample

// CopyToDevice has pictures copied to the device's own memory, as where the host's is not the device's.
func (r *Resizer) CopyToDevice() { r.copies = true }
