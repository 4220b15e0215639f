//go:build !darwin

package loader_test

// cacheDir is where os.UserCacheDir is, below the home that emptyMachine made.
const cacheDir = "home/.cache"
