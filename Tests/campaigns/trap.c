// Preloaded into the daemon: ends it with SIGKILL at a named point of its work. Built and run by kill9.py.
//
// TRAP_AT     NAME:N, the Nth time that the point NAME is come to
// TRAP_PAUSE  how long the thread that came there waits before, in milliseconds; the others go on, so that readers see what
//             is to be seen at that point
//
// The points lie around the calls that make up a commit, so that nothing has to be built into the daemon for them. LMDB
// commits by writing pages, synchronizing them, and writing one of the two meta pages at the start of the file, which is
// synchronous and makes them count. The writer's thread commits to log/, publishes, and wakes the HTTP thread through its
// eventfd to answer; the projector's commits to projections/, slice by slice, with the checkpoint in the last one. A slice
// follows the one before it at once, a flush after its interval: so they are told apart.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define META_PAGES_END 8192
#define SLICE_MILLISECONDS 20

static char point[64];
static atomic_long remaining;
static useconds_t pause_microseconds;
// Whether this thread has committed to the log and not yet woken anybody.
static __thread int has_committed;
// When this thread has last committed to the projections, in milliseconds; 0 when it hasn't.
static __thread long flushed_at;

__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("TRAP_AT");
  const char *colon = at == NULL ? NULL : strchr(at, ':');
  if (colon == NULL || (size_t)(colon - at) >= sizeof point) return;
  memcpy(point, at, (size_t)(colon - at));
  remaining = atol(colon + 1);
  const char *milliseconds = getenv("TRAP_PAUSE");
  if (milliseconds != NULL) pause_microseconds = (useconds_t)atol(milliseconds) * 1000;
}

static void reach(const char *side, const char *part) {
  char name[sizeof point];
  snprintf(name, sizeof name, "%s-%s", side, part);
  if (strcmp(point, name) != 0 || atomic_fetch_sub(&remaining, 1) != 1) return;
  usleep(pause_microseconds);
  char line[128];
  int length = snprintf(line, sizeof line, "killed at %s\n", name);
  // Past this library's own write.
  syscall(SYS_write, STDERR_FILENO, line, (size_t)length);
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static long milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Looks for the points that lie between the commits of one flush; `part` is what comes next.
static void look_at_flush(const char *part) {
  if (strcmp(part, "flush") != 0 || flushed_at == 0) return;
  int is_same_flush = milliseconds() - flushed_at < SLICE_MILLISECONDS;
  flushed_at = 0;
  if (is_same_flush) reach("between", "slices");
}

static int leads_to(int file, const char *end) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path);
  ssize_t wanted = (ssize_t)strlen(end);
  return length >= wanted && memcmp(path + length - wanted, end, (size_t)wanted) == 0;
}

// What a call on a file is a part of, by where the file lies; NULL for one that no point lies around.
static const char *work(int file, const char *on_log, const char *on_projections) {
  if (point[0] == 0) return NULL;
  if (leads_to(file, "/log/data.mdb")) return on_log;
  if (leads_to(file, "/projections/data.mdb")) return on_projections;
  if (has_committed && leads_to(file, "[eventfd]")) return "wake";
  return NULL;
}

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

#define AROUND(what, call)                                                         \
  const char *part = (what);                                                       \
  if (part != NULL && strcmp(part, "wake") == 0) has_committed = 0;                \
  if (part != NULL) look_at_flush(part);                                           \
  if (part != NULL) reach("before", part);                                         \
  ssize_t result = (call);                                                         \
  if (part != NULL && strcmp(part, "commit") == 0) has_committed = 1;              \
  if (part != NULL && strcmp(part, "checkpoint") == 0) flushed_at = milliseconds(); \
  if (part != NULL) reach("after", part);                                          \
  return result;

ssize_t write(int file, const void *data, size_t bytes) {
  AROUND(work(file, "append", "flush"), (REAL(write, ssize_t, int, const void *, size_t)(file, data, bytes)))
}
ssize_t writev(int file, const struct iovec *data, int parts) {
  AROUND(work(file, "append", "flush"), (REAL(writev, ssize_t, int, const struct iovec *, int)(file, data, parts)))
}
ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset) {
  int is_meta_page = offset < META_PAGES_END;
  AROUND(work(file, is_meta_page ? "commit" : "append", is_meta_page ? "checkpoint" : "flush"),
         (REAL(pwrite, ssize_t, int, const void *, size_t, off_t)(file, data, bytes, offset)))
}
int fdatasync(int file) { AROUND(work(file, "sync", "flush-sync"), (REAL(fdatasync, int, int)(file))) }
ssize_t send(int socket, const void *data, size_t bytes, int flags) {
  static const char changed[] = "HTTP/1.1 204 ";
  int is_answer = point[0] != 0 && bytes >= sizeof changed - 1 && memcmp(data, changed, sizeof changed - 1) == 0;
  AROUND(is_answer ? "answer" : NULL, (REAL(send, ssize_t, int, const void *, size_t, int)(socket, data, bytes, flags)))
}
