package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// metadata is what the Hub says of a file before it sends it.
type metadata struct {
	file string
	etag string // SHA-256 of a large file, git's SHA-1 of a small one; the name of its blob
	size int64  // bytes; -1 if it is not known
}

// What an ETag may be, and which of them are checksums.
var (
	etagForm   = regexp.MustCompile(`^[\w][\w.+-]*$`)
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha1Form   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// look asks for a file's metadata. Redirects are followed within the Hub only, as where a repository has been renamed:
// storage knows neither commit nor checksum.
func (c *Client) look(ctx context.Context, l *Listing, file string, tell func(error, time.Duration)) (*metadata, error) {
	m := &metadata{file: file}
	err := c.retry(ctx, tell, func() (bool, error) {
		within := func(r *http.Request) bool { return sameOrigin(r.URL, c.endpoint) }
		r, err := c.request(ctx, http.MethodHead, c.address(l, file), 0, c.settings.MetadataTimeout, within)
		if err != nil {
			return false, err
		}
		defer r.Close()
		if err := c.answer(r, l.Ref, file); err != nil {
			return false, err
		}
		if commit := r.Header.Get("X-Repo-Commit"); commit != l.Commit {
			return false, fmt.Errorf("%w: %s is of commit %q, want %s", ErrProtocol, file, plain(commit), l.Commit)
		}
		m.size = -1
		etag, size := r.Header.Get("X-Linked-Etag"), r.Header.Get("X-Linked-Size")
		if etag == "" {
			etag = r.Header.Get("ETag")
		}
		if m.etag = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`); !etagForm.MatchString(m.etag) {
			return false, fmt.Errorf("%w: %s has the ETag %q", ErrProtocol, file, plain(etag))
		}
		if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 {
			m.size = n
		} else if r.StatusCode == http.StatusOK {
			m.size = r.ContentLength
		}
		if m.size < 0 && !m.checked() {
			return false, fmt.Errorf("%w: neither the size nor a checksum of %s is known", ErrProtocol, file)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// checked tells whether the ETag is a checksum.
func (m *metadata) checked() bool {
	return sha256Form.MatchString(m.etag) || sha1Form.MatchString(m.etag)
}

// check reads a file that should be whole. The error wraps ErrCorrupt if it is not the one that the Hub announced.
func (m *metadata) check(r io.ReadSeeker) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = r.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	if m.size >= 0 && size != m.size {
		return fmt.Errorf("%w: %s has %d bytes, want %d", ErrCorrupt, m.file, size, m.size)
	}
	var sum hash.Hash
	switch {
	case sha256Form.MatchString(m.etag):
		sum = sha256.New()
	case sha1Form.MatchString(m.etag): // as "git hash-object" has it
		sum = sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", size)
	default:
		return nil
	}
	if _, err := io.Copy(sum, r); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.etag {
		return fmt.Errorf("%w: %s has the checksum %s, want %s", ErrCorrupt, m.file, got, m.etag)
	}
	return nil
}
