// Preloaded into the daemon: lets allocations fail, from one on, once or for a while. Built and run by memory.py.
//
// ALLOCATOR_FROM   the number of the first allocation that fails, counted from 1 when main begins
// ALLOCATOR_COUNT  how many fail, one after the other
// ALLOCATOR_BYTES  smaller ones neither fail nor count
// ALLOCATOR_DONE   a file that is made when one has failed
//
// What the dynamic loader allocates before this library is there comes from a small store of its own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Alignas(16) char early[64 << 10];
static atomic_size_t early_used;
static atomic_ulong number;
static atomic_bool is_told;
static unsigned long from, until, least;
static const char *done;

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static void *(*real_aligned_alloc)(size_t, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);
static _Thread_local int is_resolving;
static atomic_bool is_running;

static unsigned long setting(const char *name, unsigned long otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static void resolve(void) {
  if (real_free != NULL || is_resolving) return;
  is_resolving = 1;
  real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
  real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
  real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
  real_aligned_alloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
  real_posix_memalign = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
  real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
  is_resolving = 0;
}

__attribute__((constructor)) static void begin(void) {
  resolve();
  done = getenv("ALLOCATOR_DONE");
  least = setting("ALLOCATOR_BYTES", 0);
  unsigned long first = setting("ALLOCATOR_FROM", 0);
  until = first + setting("ALLOCATOR_COUNT", 1);
  from = first;
}

// Counting begins with main: before it, nobody can say what failed.
static int (*real_main)(int, char **, char **);
static int counted_main(int count, char **words, char **variables) {
  atomic_store(&is_running, 1);
  return real_main(count, words, variables);
}

int __libc_start_main(
    int (*program)(int, char **, char **), int count, char **words, void (*init)(void), void (*fini)(void),
    void (*rtld_fini)(void), void *stack_end) {
  int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *) =
      (int (*)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *))
          dlsym(RTLD_NEXT, "__libc_start_main");
  real_main = program;
  return start(counted_main, count, words, init, fini, rtld_fini, stack_end);
}

static int fails(size_t bytes) {
  if (from == 0 || !atomic_load(&is_running) || bytes < least) return 0;
  unsigned long now = atomic_fetch_add(&number, 1) + 1;
  if (now < from || now >= until) return 0;
  if (done != NULL && !atomic_exchange(&is_told, 1)) {
    // By the system call: open(2) may have been replaced, too.
    long file = syscall(SYS_openat, AT_FDCWD, done, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) syscall(SYS_close, file);
  }
  errno = ENOMEM;
  return 1;
}

static void *take_early(size_t bytes) {
  size_t place = atomic_fetch_add(&early_used, (bytes + 31) & ~(size_t)15);
  if (place + bytes + 16 > sizeof early) abort();
  *(size_t *)(early + place) = bytes;
  return early + place + 16;
}

static int is_early(void *memory) { return (char *)memory >= early && (char *)memory < early + sizeof early; }

void *malloc(size_t bytes) {
  resolve();
  if (real_free == NULL) return take_early(bytes);
  return fails(bytes) ? NULL : real_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  resolve();
  if (real_free == NULL) return take_early(count * bytes);
  return fails(count * bytes) ? NULL : real_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
  resolve();
  if (is_early(memory)) {
    void *moved = malloc(bytes);
    size_t had = *(size_t *)((char *)memory - 16);
    if (moved != NULL) memcpy(moved, memory, had < bytes ? had : bytes);
    return moved;
  }
  return fails(bytes) ? NULL : real_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  resolve();
  return fails(bytes) ? NULL : real_aligned_alloc(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  resolve();
  return fails(bytes) ? ENOMEM : real_posix_memalign(memory, alignment, bytes);
}

void free(void *memory) {
  resolve();
  if (memory != NULL && !is_early(memory)) real_free(memory);
}
