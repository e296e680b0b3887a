// Preloaded into the daemon: the wall clock stands still at the microsecond that is written in the file CLOCK_FILE, as an
// i64, until another one is written there. The clock for durations goes on. Built and run by test_expiry.py.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *microseconds;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("CLOCK_FILE");
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  microseconds = mmap(NULL, sizeof *microseconds, PROT_READ, MAP_SHARED, file, 0);
  if (microseconds == MAP_FAILED) abort();
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (clock != CLOCK_REALTIME || microseconds == NULL)
    return ((int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime"))(clock, time);
  int64_t now = *microseconds;
  *time = (struct timespec){now / 1000000, now % 1000000 * 1000};
  return 0;
}
