package hub_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

// TestRefusals are errors that callers can tell apart, and that say what to do. None but the busy ones is tried again.
func TestRefusals(t *testing.T) {
	denied := func(status int, headers ...string) *hubtest.Fault {
		f := &hubtest.Fault{Status: status, Header: http.Header{}}
		for i := 0; i < len(headers); i += 2 {
			f.Header.Set(headers[i], headers[i+1])
		}
		return f
	}
	for name, test := range map[string]struct {
		ref   hub.Ref
		file  string
		token string
		fault *hubtest.Fault // of the storage, or of list when there is no file
		is    error
		says  string
		tries int // requests that the fault is the answer of
	}{
		"no repository":        {ref: hub.Ref{Repo: "timm/none"}, is: hub.ErrNotFound, says: "has no repository timm/none; if it is private, HF_TOKEN must be set"},
		"nor with a token":     {ref: hub.Ref{Repo: "timm/none"}, token: "t", is: hub.ErrNotFound, says: "timm/none that the token"},
		"private":              {ref: hub.Ref{Repo: "me/private"}, is: hub.ErrNotFound, says: "HF_TOKEN"},
		"wrong token":          {ref: hub.Ref{Repo: "me/private"}, token: "wrong", is: hub.ErrDenied, says: "not accepted"},
		"no revision":          {ref: hub.Ref{Repo: repo, Revision: "v9"}, is: hub.ErrNotFound, says: `timm/net.tag has no revision "v9"`},
		"no file":              {ref: hub.Ref{Repo: repo}, file: "none.bin", is: hub.ErrNotFound, says: "timm/net.tag has no file none.bin"},
		"401":                  {ref: hub.Ref{Repo: repo}, fault: denied(401), is: hub.ErrDenied, says: "HF_TOKEN must be set", tries: 1},
		"403":                  {ref: hub.Ref{Repo: repo}, fault: denied(403, "X-Error-Message", "no way"), is: hub.ErrDenied, says: "403 Forbidden (no way)", tries: 1},
		"gated":                {ref: hub.Ref{Repo: repo}, fault: denied(403, "X-Error-Code", "GatedRepo"), is: hub.ErrDenied, says: "/timm/net.tag, then set HF_TOKEN", tries: 1},
		"404 without a code":   {ref: hub.Ref{Repo: repo}, fault: denied(404), is: hub.ErrNotFound, says: "404", tries: 1},
		"503 for ever":         {ref: hub.Ref{Repo: repo}, fault: denied(503), is: hub.ErrUnreachable, says: "503", tries: 5},
		"429 for too long":     {ref: hub.Ref{Repo: repo}, fault: denied(429, "Retry-After", "3600"), is: hub.ErrUnreachable, says: "429", tries: 1},
		"429 by rate limit":    {ref: hub.Ref{Repo: repo}, fault: denied(429, "RateLimit", `"api";r=0;t=3600`), is: hub.ErrUnreachable, says: "429", tries: 1},
		"storage 403":          {ref: hub.Ref{Repo: repo}, file: weights, fault: denied(403), is: hub.ErrDenied, says: "403", tries: 1},
		"storage 404":          {ref: hub.Ref{Repo: repo}, file: weights, fault: denied(404), is: hub.ErrNotFound, says: "404", tries: 1},
		"storage 500 for ever": {ref: hub.Ref{Repo: repo}, file: weights, fault: denied(500), is: hub.ErrUnreachable, says: "500", tries: 5},
		"storage 204":          {ref: hub.Ref{Repo: repo}, file: weights, fault: denied(204), is: hub.ErrProtocol, says: "204", tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			s.Add("me/private", map[string][]byte{"config.json": nil}).Token = "right"
			kind := hubtest.List
			if test.file != "" {
				kind = hubtest.Storage
			}
			s.Fault = func(k hubtest.Kind, file string, n int) (f hubtest.Fault) {
				if k == kind && test.fault != nil {
					f = *test.fault
				}
				return f
			}
			o := settings(t, s)
			o.Token = test.token
			file := test.file
			if file == "" {
				file = "config.json"
			}
			_, err := pull(t.Context(), o, test.ref, nil, file)
			if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.ref.Repo) {
				t.Errorf("error %v, want %v that says %q", err, test.is, test.says)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds a signature: %v", err)
			}
			if n := s.Requests(kind, ""); test.fault != nil && n != test.tries {
				t.Errorf("tried %d times, want %d", n, test.tries)
			}
		})
	}
}

// TestToken is for the Hub alone: neither storage nor another host that it redirects to hears of it.
func TestToken(t *testing.T) {
	s := server(t)
	s.Repos[repo].Token = "right"
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another host has the token")
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer other.Close()
	o := settings(t, s)
	o.Token = "right"
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights, "config.json"); err != nil {
		t.Fatal(err)
	}
	if s.Requests(hubtest.Storage, weights) != 1 || len(s.Leaked()) > 0 {
		t.Errorf("%d requests to the storage, with the tokens %q", s.Requests(hubtest.Storage, weights), s.Leaked())
	}
	s.Fault = func(hubtest.Kind, string, int) hubtest.Fault {
		return hubtest.Fault{Status: http.StatusFound, Header: http.Header{"Location": {other.URL}}}
	}
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); err == nil || !strings.Contains(err.Error(), "418") {
		t.Error(err)
	}
}

// TestNotAHub is what answers in a hotel, or behind a wrong HF_ENDPOINT.
func TestNotAHub(t *testing.T) {
	for name, header := range map[string]http.Header{
		"no commit":      {"X-Repo-Commit": {""}},
		"another commit": {"X-Repo-Commit": {hubtest.Commit(9)}},
		"no ETag":        {"X-Linked-Etag": {""}},
		"ETag as a path": {"X-Linked-Etag": {`"../../x"`}},
		"no checksum":    {"X-Linked-Etag": {`"abc"`}, "X-Linked-Size": {""}},
	} {
		s := server(t)
		s.Fault = func(hubtest.Kind, string, int) hubtest.Fault { return hubtest.Fault{Header: header} }
		if _, err := pull(t.Context(), settings(t, s), hub.Ref{Repo: repo}, nil, weights); !errors.Is(err, hub.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer page.Close()
	o := hub.Settings{Endpoint: page.URL, Cache: t.TempDir()}
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); !errors.Is(err, hub.ErrProtocol) || !strings.Contains(err.Error(), page.URL) {
		t.Error(err)
	}
}

// TestETagThatIsNoChecksum is of a mirror; the size is checked then.
func TestETagThatIsNoChecksum(t *testing.T) {
	s := server(t)
	s.Fault = func(hubtest.Kind, string, int) hubtest.Fault {
		return hubtest.Fault{Header: http.Header{"X-Linked-Etag": {`W/"abc-1"`}}}
	}
	o := settings(t, s)
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); err != nil {
		t.Error(err)
	}
	if s.Sent(weights) != big {
		t.Errorf("%d bytes sent", s.Sent(weights))
	}
}

// TestOffline asks nobody.
func TestOffline(t *testing.T) {
	s := server(t)
	o := settings(t, s)
	o.Offline = true
	if _, err := pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights); !errors.Is(err, hub.ErrOffline) || s.All() != 0 {
		t.Errorf("%v, %d requests", err, s.All())
	}
}

// TestNoNetwork is an error at once: nothing is tried again before anything has worked.
func TestNoNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	waits := 0
	o := hub.Settings{Endpoint: "http://" + closed, Cache: t.TempDir(), Backoff: time.Hour}
	_, err = pull(t.Context(), o, hub.Ref{Repo: repo}, func(hub.Progress) { waits++ }, weights)
	if !errors.Is(err, hub.ErrUnreachable) || !strings.Contains(err.Error(), closed) || waits > 0 {
		t.Errorf("%v after %d waits", err, waits)
	}
}

// TestSilentHub accepts connections and says nothing.
func TestSilentHub(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := hub.Settings{Endpoint: "http://" + l.Addr().String(), Cache: t.TempDir(), MetadataTimeout: 50 * time.Millisecond, Backoff: time.Hour}
	_, err = pull(t.Context(), o, hub.Ref{Repo: repo}, nil, weights)
	if !errors.Is(err, hub.ErrUnreachable) || !strings.Contains(err.Error(), "nothing came for 50ms") {
		t.Error(err)
	}
}

// TestRenamedRepository is redirected within the Hub.
func TestRenamedRepository(t *testing.T) {
	s := server(t)
	s.Repos["timm/old"] = &hubtest.Repo{Commits: s.Repos[repo].Commits, Files: s.Repos[repo].Files}
	s.Fault = func(kind hubtest.Kind, file string, n int) (f hubtest.Fault) {
		if kind == hubtest.Head && n == 0 || kind == hubtest.Get && n == 0 {
			f = hubtest.Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"/" + repo + "/resolve/" + hubtest.Commit(1) + "/" + file}}}
		}
		return f
	}
	dir, err := pull(t.Context(), settings(t, s), hub.Ref{Repo: "timm/old"}, nil, weights, "config.json")
	if err != nil || !strings.Contains(dir, "models--timm--old") {
		t.Errorf("%s, %v", dir, err)
	}
	if s.Requests(hubtest.Head, weights) != 2 {
		t.Errorf("%d requests", s.Requests(hubtest.Head, weights))
	}
}
