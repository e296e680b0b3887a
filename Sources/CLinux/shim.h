#pragma once
// Linux calls that the toolchain's Glibc module leaves out.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// prctl(2) is variadic, which Swift cannot call. Names the calling thread; the kernel keeps 15 bytes.
static inline int clinux_name_thread(const char *name) {
  return prctl(PR_SET_NAME, name, 0, 0, 0);
}

// prctl(2): the kernel ends the calling process when the thread that started it ends. 0, or -1 with errno set.
static inline int clinux_end_with_parent(void) {
  return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
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

// fallocate(2) is only declared for _GNU_SOURCE. Sets blocks aside for a file whose size stays; 0, or -1 with errno set.
static inline int clinux_reserve(int descriptor, int64_t byte_count) {
  return (int)syscall(SYS_fallocate, descriptor, 1 /* FALLOC_FL_KEEP_SIZE */, (int64_t)0, byte_count);
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

// What a fault writes before it ends the process. signal-safety(7): the handler may write and raise, and little else; so
// the lines are made beforehand.
enum { clinux_fault_count = 6 };
struct clinux_faults {
  char lines[clinux_fault_count][1024];
  struct sigaction before[clinux_fault_count];
};

// The importer leaves variables out, but for those within functions.
static inline struct clinux_faults *clinux_faults(void) {
  static struct clinux_faults faults;
  return &faults;
}
static inline const int *clinux_fault_signals(void) {
  static const int signals[clinux_fault_count] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
  return signals;
}

static inline void clinux_on_fault(int signal_number) {
  for (int index = 0; index < clinux_fault_count; index++) {
    if (clinux_fault_signals()[index] != signal_number) continue;
    const char *line = clinux_faults()->lines[index];
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored;
    // What was to happen without this happens when the handler returns and the signal is no longer held.
    sigaction(signal_number, &clinux_faults()->before[index], NULL);
    raise(signal_number);
  }
}

// Has each signal of a fault write `lead`, "ended by NAME: " and `advice` to standard error before it does what it did
// before.
static inline void clinux_explain_faults(const char *lead, const char *advice) {
  static const char *const names[clinux_fault_count] = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGTRAP", "SIGFPE", "SIGABRT"};
  struct clinux_faults *faults = clinux_faults();
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = clinux_on_fault;
  sigemptyset(&action.sa_mask);
  for (int index = 0; index < clinux_fault_count; index++) {
    snprintf(faults->lines[index], sizeof faults->lines[index], "%.20sended by %s: %.900s\n", lead, names[index],
             advice);
    sigaction(clinux_fault_signals()[index], &action, &faults->before[index]);
  }
}
