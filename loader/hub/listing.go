package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Listing is what a repository holds at a commit.
type Listing struct {
	Ref    Ref
	Commit string
	Files  []string // paths with slashes; none leaves its directory
}

// List asks the Hub what a revision is now. progress, if set, hears of attempts that failed.
func (c *Client) List(ctx context.Context, ref Ref, progress func(Progress)) (*Listing, error) {
	l, err := c.list(ctx, ref, func(err error, wait time.Duration) {
		if progress != nil {
			progress(Progress{Ref: ref, Total: -1, Err: err, Wait: wait})
		}
	})
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", ref, unreachable(err))
	}
	return l, nil
}

func (c *Client) list(ctx context.Context, ref Ref, tell func(error, time.Duration)) (*Listing, error) {
	if err := ref.validate(); err != nil {
		return nil, err
	}
	var info struct {
		Commit string `json:"sha"`
		Files  []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	address := c.settings.Endpoint + "/api/models/" + ref.Repo + "/revision/" + url.PathEscape(ref.revision())
	err := c.retry(ctx, tell, func() (bool, error) {
		r, err := c.request(ctx, http.MethodGet, address, 0, c.settings.MetadataTimeout, everywhere)
		if err != nil {
			return false, err
		}
		defer r.Close()
		if err := c.answer(r, ref, ""); err != nil {
			return false, err
		}
		const most = 64 << 20
		text, err := io.ReadAll(io.LimitReader(r, most))
		if err != nil {
			return false, err
		}
		if err := json.Unmarshal(text, &info); err != nil {
			return false, fmt.Errorf("%w: list of files at %s: %w", ErrProtocol, c.settings.Endpoint, err)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if !commitForm.MatchString(info.Commit) {
		return nil, fmt.Errorf("%w: list of files at %s: commit %q", ErrProtocol, c.settings.Endpoint, plain(info.Commit))
	}
	l := &Listing{Ref: ref, Commit: info.Commit}
	for _, f := range info.Files {
		if isFileName(f.Name) {
			l.Files = append(l.Files, f.Name)
		}
	}
	return l, nil
}

// everywhere follows every redirect.
func everywhere(*http.Request) bool { return true }

// isFileName is true of a path with slashes that stays inside its directory on every system.
func isFileName(name string) bool {
	return name == path.Clean(name) && filepath.IsLocal(filepath.FromSlash(name)) && !strings.ContainsAny(name, "\\:\x00")
}

// address is where a file of the listing is.
func (c *Client) address(l *Listing, file string) string {
	parts := strings.Split(file, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return c.settings.Endpoint + "/" + l.Ref.Repo + "/resolve/" + l.Commit + "/" + strings.Join(parts, "/")
}
