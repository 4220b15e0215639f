package hub

// This file owns the bytes of a file on their way: from where one attempt ended the next goes on.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"
)

// transfer is one file being fetched. What f holds is the beginning of it.
type transfer struct {
	*Client
	listing *Listing
	meta    *metadata
	f       *os.File
	have    int64                      // bytes in f
	best    int64                      // the most that it ever had
	moved   func(have int64)           // hears of every piece
	tell    func(error, time.Duration) // hears of every wait
}

// run fetches what is missing. The error wraps ErrCorrupt if what comes cannot be the file.
func (t *transfer) run(ctx context.Context) error {
	var err error
	if t.have, err = t.f.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if t.meta.size >= 0 && t.have > t.meta.size {
		if err := t.restart(); err != nil {
			return err
		}
	}
	t.best = t.have
	t.moved(t.have)
	if t.have == t.meta.size {
		return nil
	}
	return t.retry(ctx, t.tell, func() (bool, error) {
		err := t.attempt(ctx)
		progress := t.have > t.best // an attempt that began anew may have got no further than others
		t.best = max(t.best, t.have)
		return progress, err
	})
}

// restart forgets what is there.
func (t *transfer) restart() error {
	t.have = 0
	if err := t.f.Truncate(0); err != nil {
		return err
	}
	_, err := t.f.Seek(0, io.SeekStart)
	return err
}

func (t *transfer) attempt(ctx context.Context) error {
	r, err := t.request(ctx, http.MethodGet, t.address(t.listing, t.meta.file), t.have, t.settings.Timeout, everywhere)
	if err != nil {
		return err
	}
	defer r.Close()
	whole := t.meta.size
	switch r.StatusCode {
	case http.StatusOK: // from the beginning, as asked, or because the server knows no ranges
		if t.have > 0 {
			if err := t.restart(); err != nil {
				return err
			}
		}
		if n := r.ContentLength; n >= 0 && whole >= 0 && n != whole {
			return fmt.Errorf("%w: %s has %d bytes, want %d", ErrCorrupt, t.meta.file, n, whole)
		}
	case http.StatusPartialContent:
		from, size, err := contentRange(r.Header.Get("Content-Range"))
		if err != nil || from != t.have {
			return fmt.Errorf("%w: asked for %s from byte %d on, got the range %q", ErrProtocol, t.meta.file, t.have, plain(r.Header.Get("Content-Range")))
		}
		if size >= 0 && whole >= 0 && size != whole {
			return fmt.Errorf("%w: %s has %d bytes, want %d", ErrCorrupt, t.meta.file, size, whole)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if t.have == 0 {
			return t.answer(r, t.listing.Ref, t.meta.file)
		}
		if r.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", t.have) {
			return nil // its size was not known: all of it is here
		}
		return &again{errors.Join(t.answer(r, t.listing.Ref, t.meta.file), t.restart()), 0}
	default:
		if err := t.answer(r, t.listing.Ref, t.meta.file); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s: status %d", ErrProtocol, t.meta.file, r.StatusCode)
	}
	return t.copy(r)
}

// copy writes a body behind what is there.
func (t *transfer) copy(r *response) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := r.Read(buffer)
		if t.meta.size >= 0 && t.have+int64(n) > t.meta.size {
			return fmt.Errorf("%w: %s has more than the %d bytes that it should have", ErrCorrupt, t.meta.file, t.meta.size)
		}
		if n > 0 {
			if _, err := t.f.Write(buffer[:n]); err != nil {
				return err
			}
			t.have += int64(n)
			t.moved(t.have)
		}
		switch {
		case err == io.EOF && t.have < t.meta.size:
			return &networkError{r.Request.URL.Host, io.ErrUnexpectedEOF}
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

var rangeForm = regexp.MustCompile(`^bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)$`)

// contentRange reads where a part begins and what the whole has, -1 if that is not said.
func contentRange(header string) (from, size int64, err error) {
	m := rangeForm.FindStringSubmatch(header)
	if m == nil {
		return 0, 0, fmt.Errorf("range %q", header)
	}
	from, err = strconv.ParseInt(m[1], 10, 64)
	if size = -1; err == nil && m[2] != "*" {
		size, err = strconv.ParseInt(m[2], 10, 64)
	}
	return from, size, err
}
