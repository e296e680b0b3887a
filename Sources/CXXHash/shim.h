#pragma once
// Header-only use: the hash is inlined where it is called and no library has to be linked.
#define XXH_INLINE_ALL
#include <xxhash.h>

// XXH_INLINE_ALL renames the library's functions by macros, which Swift does not see through.
static inline uint64_t cxxhash_xxh3(const void *bytes, size_t count, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, count, seed);
}
