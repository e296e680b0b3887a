// Preloaded into the daemon: while the file that SLOW_FILE names is there, fdatasync() takes three seconds, as a disk that
// hangs has it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int file) {
  static int (*next)(int);
  if (next == NULL) next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char *name = getenv("SLOW_FILE");
  if (name != NULL && access(name, F_OK) == 0) sleep(3);
  return next(file);
}
