// libmicrohttpd 0.9.75 (MHD_epoll in daemon.c) asks for 128 events at a time, and as long as it gets so many asks for
// more before it looks at those, with the same time to wait: for ever. So a worker that is told of exactly 128 ready
// connections leaves them all waiting until something else happens to it, which may be never. This definition, which
// the dynamic linker finds before the C library's, has the call after a full batch come back at once.
#include <stddef.h>

#include "cepoll.h"

int epoll_wait(int file, struct epoll_event *events, int maximum, int milliseconds) {
  // The file of this thread's last call, when that filled its batch; -1 otherwise.
  static __thread int full = -1;
  int count = epoll_pwait(file, events, maximum, full == file ? 0 : milliseconds, NULL);
  full = count == maximum ? file : -1;
  return count;
}
