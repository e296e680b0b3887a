#pragma once
// Linux calls that the toolchain's Glibc module leaves out.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

// prctl(2) is variadic, which Swift cannot call. Names the calling thread; the kernel keeps 15 bytes.
static inline int clinux_name_thread(const char *name) {
  return prctl(PR_SET_NAME, name, 0, 0, 0);
}

// struct statfs shares its name with its function. 0, or -1 with errno set; the type is the "magic" of statfs(2).
static inline int clinux_file_system_type(const char *path, uint32_t *type) {
  struct statfs status;
  int result = statfs(path, &status);
  if (result == 0) *type = (uint32_t)status.f_type;
  return result;
}

// The resource's number is an enum in C++ and an int in C, which the importer does not agree on across versions.
static inline int clinux_get_file_limit(struct rlimit *limit) {
  return getrlimit(RLIMIT_NOFILE, limit);
}
static inline int clinux_set_file_limit(const struct rlimit *limit) {
  return setrlimit(RLIMIT_NOFILE, limit);
}

// renameat2(2) is only declared for _GNU_SOURCE. Exchanges two names in one step; 0, or -1 with errno set.
static inline int clinux_exchange(const char *first, const char *second) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, second, 2 /* RENAME_EXCHANGE */);
}

// pipe2(2) is only declared for _GNU_SOURCE. A pipe that other programs do not inherit; 0, or -1 with errno set.
static inline int clinux_pipe(int *read_end, int *write_end) {
  int ends[2];
  int result = (int)syscall(SYS_pipe2, ends, O_CLOEXEC);
  if (result == 0) {
    *read_end = ends[0];
    *write_end = ends[1];
  }
  return result;
}
