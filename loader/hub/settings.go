package hub

// This file owns the settings and the environment that they come from, by the rules of
// huggingface_hub/constants.py.

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DefaultEndpoint is the public Hub.
const DefaultEndpoint = "https://huggingface.co"

const defaultTimeout = 10 * time.Second

// Settings say where the Hub is, and where the cache. Proxies are those of the environment
// (http.ProxyFromEnvironment).
type Settings struct {
	Endpoint string // address of the Hub; "" for DefaultEndpoint
	Token    string // sent to the endpoint alone; "" for none
	Cache    string // directory of the cache
	Offline  bool   // every request fails with ErrOffline
	NoLinks  bool   // files lie in snapshots themselves; it is so too where links cannot be made

	MetadataTimeout time.Duration // how long the answer about a file may take; 0 for ten seconds
	Timeout         time.Duration // how long a server may send nothing; 0 for ten seconds
	Backoff         time.Duration // the first wait between attempts, each next one twice as long; 0 for a second
}

// FromEnvironment returns what HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_CACHE, HF_HOME, HF_HUB_OFFLINE,
// HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_ETAG_TIMEOUT, HF_HUB_DISABLE_SYMLINKS, HF_HUB_DISABLE_IMPLICIT_TOKEN and their
// older names say. The error names the variable that is wrong.
func FromEnvironment() (Settings, error) {
	s := Settings{
		Endpoint: strings.TrimRight(os.Getenv("HF_ENDPOINT"), "/"),
		Cache:    CacheDir(),
		Offline:  isTrue("HF_HUB_OFFLINE") || isTrue("TRANSFORMERS_OFFLINE"),
		NoLinks:  isTrue("HF_HUB_DISABLE_SYMLINKS"),
	}
	if s.Cache == "" {
		return s, errors.New("no directory for the cache: set HF_HOME")
	}
	if s.Endpoint != "" {
		u, err := url.Parse(s.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return s, fmt.Errorf("HF_ENDPOINT: %q is no http or https address", s.Endpoint)
		}
	}
	var err error
	if s.Timeout, err = seconds("HF_HUB_DOWNLOAD_TIMEOUT"); err == nil {
		s.MetadataTimeout, err = seconds("HF_HUB_ETAG_TIMEOUT")
	}
	if err == nil && !isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		s.Token, err = token()
	}
	return s, err
}

func isTrue(name string) bool {
	switch strings.ToUpper(os.Getenv(name)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func seconds(name string) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no whole number of seconds", name, text)
	}
	return time.Duration(n) * time.Second, nil
}

// token is that of the environment, or of the file that a login leaves; "" if there is none.
func token() (string, error) {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if t := cleanToken(os.Getenv(name)); t != "" {
			return t, nil
		}
	}
	path := expand(os.Getenv("HF_TOKEN_PATH"))
	if path == "" {
		home := homeDir()
		if home == "" {
			return "", nil
		}
		path = filepath.Join(home, "token")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the token file: %w", err)
	}
	return cleanToken(string(text)), nil
}

func cleanToken(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

// CacheDir returns the directory of the cache: $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub,
// $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub, the last on every system, Windows and macOS included.
// It is "" when there is no home directory either.
func CacheDir() string {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := os.Getenv(name); dir != "" {
			return filepath.Clean(expand(dir))
		}
	}
	if home := homeDir(); home != "" {
		return filepath.Join(home, "hub")
	}
	return ""
}

// homeDir is HF_HOME or what stands for it.
func homeDir() string {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return expand(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(expand(dir), "huggingface")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface")
}

// expand puts in the home directory for a leading ~, and the values of variables that are set.
func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if home, err := os.UserHomeDir(); err == nil {
			path = home + rest
		}
	}
	return os.Expand(path, func(name string) string {
		if value, ok := os.LookupEnv(name); ok {
			return value
		}
		return "$" + name
	})
}
