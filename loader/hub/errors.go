package hub

// This file owns what goes wrong: the errors that callers act on, and what the Hub's answers mean.

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Errors of this package wrap one of these, or that of a context, unless the file system is at fault.
var (
	ErrOffline     = errors.New("the Hub must not be asked (HF_HUB_OFFLINE)")
	ErrUnreachable = errors.New("the Hub cannot be reached")
	ErrNotFound    = errors.New("not on the Hub")
	ErrDenied      = errors.New("the Hub denies access")
	ErrCorrupt     = errors.New("not the file that the Hub announced")
	ErrProtocol    = errors.New("not the answer of a Hub")
)

// statusError is an answer that is no success.
type statusError struct {
	status int
	host   string
	reason string // the server's own words; "" if it has none
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answers %d %s", e.host, e.status, http.StatusText(e.status))
	if e.reason != "" {
		text += " (" + e.reason + ")"
	}
	return text
}

// refusal says what an answer of 400 or more to a request for something of a repository means, by the codes that
// hf_raise_for_status of huggingface_hub knows.
func (c *Client) refusal(r *http.Response, ref Ref, file string) error {
	status := &statusError{r.StatusCode, r.Request.URL.Host, plain(r.Header.Get("X-Error-Message"))}
	code := r.Header.Get("X-Error-Code")
	switch {
	case code == "RevisionNotFound":
		return fmt.Errorf("%w: %s has no revision %q", ErrNotFound, ref.Repo, ref.revision())
	case code == "EntryNotFound":
		return fmt.Errorf("%w: %s has no file %s", ErrNotFound, ref, file)
	case code == "GatedRepo":
		return fmt.Errorf("%w: accept the terms at %s/%s, then set HF_TOKEN to a token of that account: %w", ErrDenied, c.settings.Endpoint, ref.Repo, status)
	case code == "RepoNotFound" && c.settings.Token == "":
		return fmt.Errorf("%w: %s has no repository %s; if it is private, HF_TOKEN must be set", ErrNotFound, c.settings.Endpoint, ref.Repo)
	case code == "RepoNotFound":
		return fmt.Errorf("%w: %s has no repository %s that the token of HF_TOKEN, or of the token file, may see", ErrNotFound, c.settings.Endpoint, ref.Repo)
	case r.StatusCode == http.StatusUnauthorized && c.settings.Token != "":
		return fmt.Errorf("%w: the token of HF_TOKEN, or of the token file, is not accepted: %w", ErrDenied, status)
	case r.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: HF_TOKEN must be set: %w", ErrDenied, status)
	case r.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrDenied, status)
	case r.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, status)
	}
	return status
}

// plain makes one short line of what a server says.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	const most = 200
	return strings.TrimSpace(s[:min(len(s), most)])
}
