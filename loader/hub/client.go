package hub

// This file owns single requests: where the token goes, when a server is given up, and what is tried again.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// Client asks one Hub and fills one cache. It is safe for many goroutines.
type Client struct {
	settings Settings
	endpoint *url.URL
	http     *http.Client
	reached  atomic.Bool // whether the Hub has answered yet
}

// New makes a client. It sends nothing yet.
func New(s Settings) (*Client, error) {
	if s.Endpoint == "" {
		s.Endpoint = DefaultEndpoint
	}
	for _, d := range []*time.Duration{&s.MetadataTimeout, &s.Timeout} {
		if *d <= 0 {
			*d = defaultTimeout
		}
	}
	if s.Backoff <= 0 {
		s.Backoff = time.Second
	}
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("hub: endpoint %q: %w", s.Endpoint, err)
	}
	if s.Cache == "" {
		return nil, errors.New("hub: no directory for the cache")
	}
	c := &Client{settings: s, endpoint: endpoint}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute}
	c.http = &http.Client{Transport: &authorizing{transport, endpoint, s.Token}}
	return c, nil
}

// Close closes connections that are kept open for the next request.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Endpoint is the address of the Hub.
func (c *Client) Endpoint() string { return c.settings.Endpoint }

// authorizing sends the token along, but only to the Hub itself: wherever a request is redirected to, another port of
// the same machine included, it goes without.
type authorizing struct {
	*http.Transport
	endpoint *url.URL
	token    string
}

func (a *authorizing) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.token != "" && sameOrigin(r.URL, a.endpoint) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.Transport.RoundTrip(r)
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

// response is an answer whose body can be read as long as some of it comes within the timeout.
type response struct {
	*http.Response
	ctx     context.Context // of the request
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
}

// Read reads the body.
func (r *response) Read(p []byte) (int, error) {
	n, err := r.Body.Read(p)
	r.timer.Reset(r.timeout)
	if err != nil && err != io.EOF {
		if cause := context.Cause(r.ctx); cause != nil {
			err = cause
		}
		err = &networkError{r.Request.URL.Host, err}
	}
	return n, err
}

// Close ends the request.
func (r *response) Close() {
	r.timer.Stop()
	r.cancel(nil)
	_ = r.Body.Close() // what is left of it is not wanted
}

// networkError is that of a connection. It leaves out the address but for the host: addresses of storage hold
// signatures.
type networkError struct {
	host string
	err  error
}

func (e *networkError) Error() string { return e.host + ": " + e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// request sends one request. Any answer is a success; redirects are followed as long as follow says so. from is the
// first byte that is wanted.
func (c *Client) request(ctx context.Context, method, address string, from int64, timeout time.Duration, follow func(*http.Request) bool) (*response, error) {
	if c.settings.Offline {
		return nil, ErrOffline
	}
	request, err := http.NewRequest(method, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "bitgpu")
	request.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	client := *c.http
	client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		const most = 10
		if len(before) > most || !follow(next) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(timeout, func() { cancel(fmt.Errorf("nothing came for %v", timeout)) })
	answer, err := client.Do(request.WithContext(ctx))
	if err != nil {
		timer.Stop()
		cause := context.Cause(ctx)
		cancel(nil)
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		if cause != nil {
			err = cause
		}
		return nil, &networkError{request.URL.Host, err}
	}
	c.reached.Store(true)
	timer.Reset(timeout)
	return &response{answer, ctx, cancel, timer, timeout}, nil
}

// again is an error that may not come again.
type again struct {
	err   error
	after time.Duration // how long the server wants to be left alone; 0 if it does not say
}

func (e *again) Error() string { return e.err.Error() }
func (e *again) Unwrap() error { return e.err }

// attempts are how often something is tried without getting any further.
const attempts = 5

// longest waits: between attempts, and that a server may ask for.
const (
	longestBackoff = 8 * time.Second
	longestWait    = 5 * time.Minute
)

// retry calls attempt until it succeeds or its error is final: one that is not temporary, or that has come too often
// with no progress between. tell hears of every wait.
func (c *Client) retry(ctx context.Context, tell func(err error, wait time.Duration), attempt func() (progress bool, err error)) error {
	backoff := c.settings.Backoff
	for failed := 1; ; failed++ {
		progress, err := attempt()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if progress {
			failed, backoff = 1, c.settings.Backoff
		}
		wait, temporary := c.temporary(err)
		if !temporary {
			return err
		}
		if failed == attempts || wait > longestWait {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if wait == 0 {
			wait = backoff/2 + rand.N(backoff/2+1) // processes that failed together shall not come back together
			backoff = min(2*backoff, longestBackoff)
		}
		tell(err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// temporary tells whether something may work later, and when. What hinders the very first contact is not temporary:
// most likely there is no network.
func (c *Client) temporary(err error) (wait time.Duration, ok bool) {
	var later *again
	var network *networkError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &later):
		return later.after, true
	case errors.As(err, &certificate):
		return 0, false
	case errors.As(err, &network):
		return 0, c.reached.Load()
	}
	return 0, false
}

// unreachable marks errors of the network.
func unreachable(err error) error {
	var network *networkError
	if errors.As(err, &network) && !errors.Is(err, ErrUnreachable) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}

// answer turns an answer of 400 or more into an error.
func (c *Client) answer(r *response, ref Ref, file string) error {
	if r.StatusCode < http.StatusBadRequest {
		return nil
	}
	err := c.refusal(r.Response, ref, file)
	switch r.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &again{err, retryAfter(r.Header)}
	}
	return err
}

// rateLimitReset is in the header RateLimit, which the Hub sends: the seconds until requests are counted anew.
var rateLimitReset = regexp.MustCompile(`(?:^|;)\s*r=0\s*;\s*t=(\d+)`)

// retryAfter returns how long a server wants to be left alone.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	if m := rateLimitReset.FindStringSubmatch(h.Get("RateLimit")); text == "" && m != nil {
		text = m[1]
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
