// Package hub fetches files from the Hugging Face Hub into the cache that Python's huggingface_hub keeps, so that what
// either of them has fetched the other finds. It knows repositories and files; what a model is, package loader knows.
//
// A file is fetched to blobs/ETAG.incomplete, checked and renamed, so blobs and snapshots hold whole files only. What
// is there of an incomplete one is not fetched again. A lock for each file keeps processes out of each other's way,
// bitgpu's and Python's.
package hub
