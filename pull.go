package bitgpu

// This file owns which models the Hugging Face Hub has, and bringing them to this machine.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/hub"
	"github.com/bitgpu/bitgpu/net"
)

// PullOptions of Pull. The zero value works.
type PullOptions struct {
	Revision string             // a branch, a tag or a commit, for a name that has none; "" for main
	Progress func(hub.Progress) // called from the same goroutine; nil for nobody
}

// Pull fetches a model from the Hugging Face Hub, or what of it this machine lacks, and returns the path of its
// checkpoint, which Open takes. name is that of a published model (Models), with or without "timm/" and the tag, or
// OWNER/NAME, with or without "hf-hub:" in front; "@REVISION" may follow. Later, Open finds the model by that name
// too, but an OWNER/NAME at a revision only with "hf-hub:".
//
// Files lie in the cache of Python's huggingface_hub, and its environment variables count (hub.FromEnvironment). Two
// processes may pull the same model at once: one fetches, the other waits. What an interrupted call has fetched, the
// next one does not fetch again.
//
// The error wraps ErrNoModel if the name is no model's, else loader.ErrNoCheckpoint or one of package hub's.
func Pull(ctx context.Context, name string, o PullOptions) (string, error) {
	path, err := pullNamed(ctx, name, o)
	if err != nil {
		return "", fmt.Errorf("bitgpu: %w", err)
	}
	return path, nil
}

func pullNamed(ctx context.Context, name string, o PullOptions) (string, error) {
	ref, ok, err := hubRef(name)
	if err == nil && !ok {
		ref, err = hub.ParseRef(name)
		if err != nil {
			return "", fmt.Errorf("%w: no published BiT network is called %s; any other repository has the form OWNER/NAME", ErrNoModel, name)
		}
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoModel, err)
	}
	if ref.Revision == "" && o.Revision != "" {
		if ref, err = hub.ParseRef(ref.Repo + "@" + o.Revision); err != nil {
			return "", err
		}
	}
	return pull(ctx, ref, o.Progress)
}

// hubRef returns where the Hub has a model. ok is false of names that it is not asked for unless Pull says so.
func hubRef(name string) (ref hub.Ref, ok bool, err error) {
	if ref, ok, err = loader.HubRef(name); ok || err != nil {
		return ref, ok, err
	}
	name, revision, hasRevision := strings.Cut(name, "@")
	v, known := net.FindVariant(name)
	if !known {
		return hub.Ref{}, false, nil
	}
	ref = hub.Ref{Repo: "timm/" + v.Name}
	if hasRevision {
		ref, err = hub.ParseRef(ref.Repo + "@" + revision)
	}
	return ref, true, err
}

func pull(ctx context.Context, ref hub.Ref, progress func(hub.Progress)) (string, error) {
	settings, err := hub.FromEnvironment()
	if err != nil {
		return "", err
	}
	client, err := hub.New(settings)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return loader.Pull(ctx, client, ref, progress)
}

// fetcher brings a model that the Hub has to this machine, and returns the path of its checkpoint.
type fetcher func(hub.Ref) (string, error)

// errOffline is of a program that wants no network.
var errOffline = errors.New("Options.Offline forbids it")

// fetcher is that of Open.
func (o Options) fetcher(ctx context.Context) fetcher {
	return func(ref hub.Ref) (string, error) {
		if o.Offline {
			return "", errOffline
		}
		return pull(ctx, ref, o.Fetching)
	}
}

// KnownModel is a published model, as this machine has it.
type KnownModel struct {
	net.Variant
	Path string // of its checkpoint; "" if it is not on this machine
}

// Models lists the published models, the default one first, and looks for each where Open does. It asks nobody.
func Models() []KnownModel {
	var list []KnownModel
	for _, v := range net.Variants() {
		path, _ := loader.Find(v.Name)
		list = append(list, KnownModel{v, path})
	}
	return list
}
