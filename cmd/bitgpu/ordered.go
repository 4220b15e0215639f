package main

import (
	"context"
	"iter"
)

// ordered yields do(item) for every item, in the order of the items, while up to ahead of them are
// worked on in goroutines. items runs in a goroutine too; when ctx ends it is left to itself, and the
// sequence ends.
func ordered[T, R any](ctx context.Context, items iter.Seq[T], ahead int, do func(T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		results := make(chan chan R, ahead-1)
		go func() {
			defer close(results)
			for item := range items {
				result := make(chan R, 1)
				select {
				case results <- result:
				case <-ctx.Done():
					return
				}
				go func() { result <- do(item) }()
			}
		}()
		for {
			select {
			case result, ok := <-results:
				if !ok || !yield(<-result) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
