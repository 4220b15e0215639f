package loader_test

// cacheDir is where os.UserCacheDir is, below the home that emptyMachine made.
const cacheDir = "home/Library/Caches"
