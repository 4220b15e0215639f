// Package hubtest gives tests a Hugging Face Hub on this machine: a server that answers as the Hub does, and one beside
// it for the storage of large files, on another port. It misbehaves on request and counts what it has sent.
package hubtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Kind is what a request is for.
type Kind string

const (
	List    Kind = "list"    // the files of a revision
	Head    Kind = "head"    // what the Hub says of a file
	Get     Kind = "get"     // a file, which a small one is sent for, and a large one redirected
	Storage Kind = "storage" // a large file
)

// Fault is what a server does in place of the right thing. The zero value is the right thing.
type Fault struct {
	Status   int             // answer this, with Header
	Header   http.Header     // in the answer, beside or in place of what belongs there; an empty value removes
	Cut      int64           // break the connection after so many bytes of a body; the headers promise all
	Stall    bool            // send no more after Cut, but keep the connection
	Slow     time.Duration   // wait before every 64 KiB
	Hold     <-chan struct{} // send the second half of a body when this is closed
	Flip     bool            // change a byte of the body
	NoRange  bool            // answer a range with the whole
	NoLength bool            // do not say how long the body is
}

// File is one of a repository.
type File struct {
	Data  []byte
	Large bool // on the storage server
}

// ETag is what the Hub names a file by.
func (f File) ETag() string {
	if f.Large {
		return fmt.Sprintf("%x", sha256.Sum256(f.Data))
	}
	return fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(f.Data)), f.Data...)))
}

// Repo is one of the Hub's.
type Repo struct {
	Token   string            // without which it cannot be seen; "" for none
	Commits map[string]string // by branch or tag
	Files   map[string]map[string]File
}

// Commit is a commit that a number stands for.
func Commit(n int) string { return fmt.Sprintf("%040x", 0xb17<<20+n) }

// Server is a Hub. Its fields are set before the first request, Fault and Repos under Lock at any time.
type Server struct {
	URL   string // for HF_ENDPOINT
	Repos map[string]*Repo
	// Fault, if set, tells what to do with the nth request (from 0) of a kind for a file.
	Fault func(kind Kind, file string, n int) Fault
	sync.Mutex

	storage  string
	requests map[string]int     // by kind and file
	bodies   map[string][]*Body // by file
	leaked   []string           // tokens that came to the storage
	gone     chan struct{}      // closed at the end
}

// New starts a Hub, which stops when the test ends.
func New(t testing.TB) *Server {
	s := &Server{Repos: map[string]*Repo{}, requests: map[string]int{}, bodies: map[string][]*Body{}, gone: make(chan struct{})}
	storage := httptest.NewServer(http.HandlerFunc(s.serveStorage))
	hub := httptest.NewServer(http.HandlerFunc(s.serveHub))
	s.URL, s.storage = hub.URL, storage.URL
	t.Cleanup(func() {
		close(s.gone)
		hub.CloseClientConnections()
		storage.CloseClientConnections()
		hub.Close()
		storage.Close()
	})
	return s
}

// Add puts files into a repository, at main and a first commit. Files of 1 KiB or more are large.
func (s *Server) Add(repo string, files map[string][]byte) *Repo {
	all := map[string]File{}
	for name, data := range files {
		all[name] = File{data, len(data) >= 1<<10}
	}
	r := &Repo{Commits: map[string]string{"main": Commit(1)}, Files: map[string]map[string]File{Commit(1): all}}
	s.Lock()
	defer s.Unlock()
	s.Repos[repo] = r
	return r
}

// Requests is how many requests of a kind came for a file, "" for all files.
func (s *Server) Requests(kind Kind, file string) int {
	s.Lock()
	defer s.Unlock()
	n := 0
	for key, count := range s.requests {
		if k, f, _ := strings.Cut(key, " "); k == string(kind) && (file == "" || f == file) {
			n += count
		}
	}
	return n
}

// All is how many requests came.
func (s *Server) All() int {
	return s.Requests(List, "") + s.Requests(Head, "") + s.Requests(Get, "") + s.Requests(Storage, "")
}

// Body is one that was sent, or the beginning of one.
type Body struct {
	From int64 // the byte of the file that it begins with
	Sent int64 // bytes, some of which nobody may have read
}

// Bodies lists those of a file in the order of their requests.
func (s *Server) Bodies(file string) []Body {
	s.Lock()
	defer s.Unlock()
	var all []Body
	for _, b := range s.bodies[file] {
		all = append(all, *b)
	}
	return all
}

// Sent is how many bytes of a file have been sent.
func (s *Server) Sent(file string) int64 {
	n := int64(0)
	for _, b := range s.Bodies(file) {
		n += b.Sent
	}
	return n
}

// Leaked lists the tokens that came to the storage.
func (s *Server) Leaked() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.leaked)
}

// fault counts a request.
func (s *Server) fault(kind Kind, file string) Fault {
	s.Lock()
	defer s.Unlock()
	key := string(kind) + " " + file
	n := s.requests[key]
	s.requests[key]++
	if s.Fault == nil {
		return Fault{}
	}
	return s.Fault(kind, file, n)
}

func (s *Server) serveHub(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	list := len(parts) == 6 && parts[0] == "api" && parts[1] == "models" && parts[4] == "revision"
	if list {
		parts = append(parts[2:4:4], "", parts[5])
	} else if len(parts) < 5 || parts[2] != "resolve" {
		http.NotFound(w, r)
		return
	}
	revision, err := url.PathUnescape(parts[3])
	if err != nil {
		refuse(w, http.StatusBadRequest, "")
		return
	}
	file := strings.Join(parts[4:], "/")
	kind := List
	switch {
	case list:
	case r.Method == http.MethodHead:
		kind = Head
	default:
		kind = Get
	}
	f := s.fault(kind, file)
	if f.Status != 0 {
		maps.Copy(w.Header(), f.Header)
		w.WriteHeader(f.Status)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.Lock()
	repo := s.Repos[parts[0]+"/"+parts[1]]
	s.Unlock()
	switch {
	case repo == nil && token == "", repo != nil && repo.Token != "" && token == "":
		refuse(w, http.StatusUnauthorized, "RepoNotFound")
		return
	case repo == nil:
		refuse(w, http.StatusNotFound, "RepoNotFound")
		return
	case repo.Token != "" && token != repo.Token:
		w.Header().Set("X-Error-Message", "Invalid credentials in Authorization header")
		refuse(w, http.StatusUnauthorized, "")
		return
	}
	commit := revision
	if c, ok := repo.Commits[revision]; ok {
		commit = c
	}
	files, ok := repo.Files[commit]
	if !ok {
		refuse(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	if list {
		s.list(w, commit, files)
		return
	}
	entry, ok := files[file]
	if !ok {
		w.Header().Set("X-Repo-Commit", commit)
		refuse(w, http.StatusNotFound, "EntryNotFound")
		return
	}
	s.file(w, r, f, commit, file, entry)
}

func refuse(w http.ResponseWriter, status int, code string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.WriteHeader(status)
}

func (s *Server) list(w http.ResponseWriter, commit string, files map[string]File) {
	type sibling struct {
		Name string `json:"rfilename"`
	}
	var all []sibling
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, sibling{name})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": all, "private": false})
}

// file answers HEAD and GET of a file at the Hub.
func (s *Server) file(w http.ResponseWriter, r *http.Request, f Fault, commit, name string, entry File) {
	h := w.Header()
	h.Set("X-Repo-Commit", commit)
	if !entry.Large {
		h.Set("ETag", strconv.Quote(entry.ETag()))
		s.send(w, r, f, name, entry.Data)
		return
	}
	h.Set("X-Linked-Etag", strconv.Quote(entry.ETag()))
	h.Set("X-Linked-Size", strconv.Itoa(len(entry.Data)))
	h.Set("Location", s.storage+"/"+entry.ETag()+"?signature=secret&name="+url.QueryEscape(name))
	change(h, f.Header)
	w.WriteHeader(http.StatusFound)
}

func change(h, with http.Header) {
	for name, values := range with {
		if h.Del(name); len(values) > 0 && values[0] != "" {
			h[name] = values
		}
	}
}

func (s *Server) serveStorage(w http.ResponseWriter, r *http.Request) {
	if a := r.Header.Get("Authorization"); a != "" {
		s.Lock()
		s.leaked = append(s.leaked, a)
		s.Unlock()
	}
	name := r.URL.Query().Get("name")
	f := s.fault(Storage, name)
	if f.Status != 0 {
		change(w.Header(), f.Header)
		w.WriteHeader(f.Status)
		return
	}
	data, ok := s.find(strings.TrimPrefix(r.URL.Path, "/"))
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("ETag", `"of-the-storage"`)
	s.send(w, r, f, name, data)
}

func (s *Server) find(etag string) ([]byte, bool) {
	s.Lock()
	defer s.Unlock()
	for _, repo := range s.Repos {
		for _, files := range repo.Files {
			for _, f := range files {
				if f.ETag() == etag {
					return f.Data, true
				}
			}
		}
	}
	return nil, false
}

// send writes a body, or the end of it that Range asks for.
func (s *Server) send(w http.ResponseWriter, r *http.Request, f Fault, name string, data []byte) {
	h, from := w.Header(), 0
	if n, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !f.NoRange {
		n, open := strings.CutSuffix(n, "-")
		var err error
		if from, err = strconv.Atoi(n); err != nil || !open || from < 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if from >= len(data) {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", len(data)))
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
	}
	body := data[from:]
	if !f.NoLength {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	change(h, f.Header)
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.WriteHeader(http.StatusOK)
	}
	if r.Method == http.MethodHead {
		return
	}
	b := &Body{From: int64(from)}
	s.Lock()
	s.bodies[name] = append(s.bodies[name], b)
	s.Unlock()
	if f.Flip {
		body = slices.Clone(body)
		body[len(body)/2] ^= 1
	}
	s.body(w, r, f, b, body)
}

func (s *Server) body(w http.ResponseWriter, r *http.Request, f Fault, b *Body, body []byte) {
	sent, half := int64(0), int64(len(body)/2)
	for len(body) > 0 {
		if f.Hold != nil && sent >= half {
			select {
			case <-f.Hold:
			case <-r.Context().Done():
			case <-s.gone:
			}
		}
		piece := body[:min(len(body), 64<<10)]
		if f.Cut > 0 {
			piece = piece[:min(int64(len(piece)), f.Cut-sent)]
		}
		if f.Slow > 0 {
			time.Sleep(f.Slow)
		}
		n, err := w.Write(piece)
		sent += int64(n)
		s.Lock()
		b.Sent = sent
		s.Unlock()
		if err != nil {
			return
		}
		if f.Slow > 0 || f.Hold != nil || f.Cut > 0 && sent == f.Cut {
			_ = http.NewResponseController(w).Flush() // a client that has gone shows with the next piece
		}
		if f.Cut > 0 && sent == f.Cut {
			if f.Stall {
				select {
				case <-r.Context().Done():
				case <-s.gone:
				}
			}
			panic(http.ErrAbortHandler) // breaks the connection
		}
		body = body[len(piece):]
	}
}

// Bytes makes a file of so many bytes that look random.
func Bytes(n int) []byte {
	all := make([]byte, 0, n+sha256.Size)
	seed := []byte(strconv.Itoa(n))
	for len(all) < n {
		sum := sha256.Sum256(seed)
		seed = sum[:]
		all = append(all, seed...)
	}
	return all[:n]
}
