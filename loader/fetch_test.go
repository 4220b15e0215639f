package loader_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader"
)

// web is a server with files that are there, that are not, that are elsewhere and that never end.
func web(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html") // servers say all kinds of things
		io.WriteString(w, "0123456789")
	})
	mux.HandleFunc("/unknown-length", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "01234")
		w.(http.Flusher).Flush()
		io.WriteString(w, "56789")
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "0123456789")
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "0")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/file", http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/to-disk", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// fetch reads a URL to its end.
func fetch(ctx context.Context, f *loader.Fetcher, address string) (string, error) {
	r, err := f.Open(ctx, address)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

func TestFetch(t *testing.T) {
	base := web(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	withPassword := strings.Replace(base, "://", "://me:secret@", 1)
	for name, c := range map[string]struct {
		address string
		fetcher loader.Fetcher
		want    string // in the error; empty for none
		is      error
	}{
		"file":                      {address: base + "/file"},
		"as large as can be":        {address: base + "/file", fetcher: loader.Fetcher{MaxBytes: 10}},
		"no length, all there":      {address: base + "/unknown-length", fetcher: loader.Fetcher{MaxBytes: 10}},
		"elsewhere":                 {address: base + "/moved"},
		"too large":                 {address: base + "/file", fetcher: loader.Fetcher{MaxBytes: 9}, want: base + "/file: image too large: file of 10 bytes, limit 9", is: loader.ErrImageTooLarge},
		"too large, without length": {address: base + "/unknown-length", fetcher: loader.Fetcher{MaxBytes: 9}, want: "more than 9 bytes", is: loader.ErrImageTooLarge},
		"cut":                       {address: base + "/cut", want: "unexpected EOF", is: io.ErrUnexpectedEOF},
		"slow":                      {address: base + "/slow", fetcher: loader.Fetcher{Timeout: 50 * time.Millisecond}, want: "not complete after 50ms"},
		"silent":                    {address: base + "/silent", fetcher: loader.Fetcher{Timeout: 50 * time.Millisecond}, want: "/silent: not complete after 50ms"},
		"missing":                   {address: base + "/none", want: base + "/none: the server answers 404 Not Found"},
		"busy":                      {address: base + "/busy", want: "503 Service Unavailable"},
		"in a circle":               {address: base + "/round", want: "/round: more than 5 redirects"},
		"to a file":                 {address: base + "/to-disk", want: `redirect: scheme "file", want http or https`},
		"other scheme":              {address: "ftp://example.org/a.png", want: `scheme "ftp", want http or https`},
		"no host":                   {address: "http:///a.png", want: "without a host"},
		"no URL":                    {address: "http://[::1/a.png", want: "missing ']'"},
		"nobody there":              {address: gone.URL, want: gone.URL + ": dial tcp"},
		"password":                  {address: withPassword + "/none", want: "me:xxxxx@"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fetch(t.Context(), &c.fetcher, c.address)
			switch {
			case c.want == "" && (err != nil || got != "0123456789"):
				t.Errorf("%q, %v", got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q in it", err, c.want)
			case c.is != nil && !errors.Is(err, c.is):
				t.Errorf("error %v is not %v", err, c.is)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

func TestFetchStopsWithItsContext(t *testing.T) {
	base := web(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := new(loader.Fetcher).Open(ctx, base+"/slow")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := new(loader.Fetcher).Open(ctx, base+"/file"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestFetchGoesThroughAProxy: the client's transport decides, as http.DefaultTransport's does by $HTTP_PROXY.
func TestFetchGoesThroughAProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "proxy for "+r.URL.String())
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := loader.Fetcher{Client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at)}}}
	if got, err := fetch(t.Context(), &f, "http://pictures.invalid/a.png"); err != nil || got != "proxy for http://pictures.invalid/a.png" {
		t.Errorf("%q, %v", got, err)
	}
}
