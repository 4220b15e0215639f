// This file owns reading pictures from the web: what bounds such a read in
// time, bytes and redirects, and errors that say which URL is at fault.

package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// What the zero fields of a Fetcher stand for.
const (
	DefaultFetchBytes   = 128 << 20
	DefaultFetchTimeout = time.Minute
)

// maxRedirects is how often a server may send a Fetcher elsewhere.
const maxRedirects = 5

// Fetcher reads files from http and https URLs. The zero value works. It may be
// used from many goroutines, and must not be copied or changed while it is.
type Fetcher struct {
	// Client, if set, takes the place of http.DefaultTransport, which honours
	// HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Its Timeout and CheckRedirect
	// do not count.
	Client   *http.Client
	MaxBytes int64         // of one file, as it is after any transport compression
	Timeout  time.Duration // for the whole of one file
}

// Open asks for a file and returns it when the server's answer has begun;
// reading goes on under the same limits of time and bytes. The caller closes
// it. What kind of file it is its content tells, not the server. The error
// names the URL, without its password. That of a file over MaxBytes, of reading
// too, wraps ErrImageTooLarge. When ctx ends, so does reading.
func (f *Fetcher) Open(ctx context.Context, address string) (io.ReadCloser, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	if err := checkURL(u); err != nil {
		return nil, fmt.Errorf("loader: %s: %w", u.Redacted(), err)
	}
	timeout := cmp.Or(f.Timeout, DefaultFetchTimeout)
	late := fmt.Errorf("not complete after %v", timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	body := &fetched{ctx: ctx, cancel: cancel, limit: cmp.Or(f.MaxBytes, DefaultFetchBytes)}
	body.left = body.limit
	if err := body.open(f.client(), u); err != nil {
		err = body.cause(err)
		cancel()
		return nil, fmt.Errorf("loader: %s: %w", u.Redacted(), err)
	}
	return body, nil
}

// checkURL accepts the URLs that a Fetcher reads.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("scheme %q, want http or https", u.Scheme)
	case u.Host == "":
		return errors.New("URL without a host")
	}
	return nil
}

func (f *Fetcher) client() *http.Client {
	client := http.Client{}
	if f.Client != nil {
		client = *f.Client
	}
	client.Timeout = 0 // the context has it
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		if err := checkURL(r.URL); err != nil {
			return fmt.Errorf("redirect: %w", err)
		}
		return nil
	}
	return &client
}

// fetched is a file that is being read.
type fetched struct {
	ctx    context.Context // of the request; its cause says what ended it
	cancel context.CancelFunc
	body   io.ReadCloser

	limit, left int64 // bytes
}

func (r *fetched) open(client *http.Client, u *url.URL) error {
	request, err := http.NewRequestWithContext(r.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "bitgpu")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return fmt.Errorf("the server answers %s", response.Status)
	}
	if n := response.ContentLength; n > r.limit {
		response.Body.Close()
		return fmt.Errorf("%w: file of %d bytes, limit %d", ErrImageTooLarge, n, r.limit)
	}
	r.body = response.Body
	return nil
}

// Read reads on.
func (r *fetched) Read(p []byte) (int, error) {
	if int64(len(p)) > r.left+1 {
		p = p[:r.left+1] // one more shows that the file is too large
	}
	n, err := r.body.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, fmt.Errorf("%w: file of more than %d bytes", ErrImageTooLarge, r.limit)
	}
	if err != nil && err != io.EOF {
		err = r.cause(err)
	}
	return n, err
}

// Close ends the read, whether or not the file is complete.
func (r *fetched) Close() error {
	err := r.body.Close()
	r.cancel()
	return err
}

// cause is why reading ended, without the URL that net/http adds.
func (r *fetched) cause(err error) error {
	if cause := context.Cause(r.ctx); cause != nil {
		return cause
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}
