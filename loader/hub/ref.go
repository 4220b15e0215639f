package hub

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Ref names a repository of a model at a revision.
type Ref struct {
	Repo     string // OWNER/NAME
	Revision string // a branch, a tag or a commit; "" for main
}

// MainRevision is what an empty revision stands for.
const MainRevision = "main"

func (r Ref) revision() string {
	if r.Revision == "" {
		return MainRevision
	}
	return r.Revision
}

// String is OWNER/NAME, with @REVISION behind it if there is one.
func (r Ref) String() string {
	if r.Revision == "" {
		return r.Repo
	}
	return r.Repo + "@" + r.Revision
}

// The form of an owner and of a name, and of a revision, which git allows more of.
var (
	repoForm     = regexp.MustCompile(`^[A-Za-z0-9_][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}$`)
	revisionForm = regexp.MustCompile(`^[\w][\w./+-]*$`)
	commitForm   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ParseRef reads OWNER/NAME or OWNER/NAME@REVISION.
func ParseRef(s string) (Ref, error) {
	repo, revision, hasRevision := strings.Cut(s, "@")
	r := Ref{repo, revision}
	if hasRevision && revision == "" {
		return r, fmt.Errorf("hub: %q has no revision behind the @", s)
	}
	return r, r.validate()
}

// validate makes sure that the ref can be part of an address and of a path.
func (r Ref) validate() error {
	if !repoForm.MatchString(r.Repo) || strings.Contains(r.Repo, "--") || strings.Contains(r.Repo, "..") {
		return fmt.Errorf("hub: repository %q, want OWNER/NAME", r.Repo)
	}
	if !revisionForm.MatchString(r.revision()) || strings.Contains(r.Revision, "..") || !filepath.IsLocal(r.revision()) {
		return fmt.Errorf("hub: revision %q, want a branch, a tag or a commit", r.Revision)
	}
	return nil
}
