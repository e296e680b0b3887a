// Preloaded into the daemon: writes down, in order, what it does to the files of its data directory, so that the disk can
// be rebuilt as it may look after a power cut at any point. Built and run by powercut.py.
//
// RECORDER_FOLDER  the data directory, without symbolic links
// RECORDER_LOG     where the records go
// RECORDER_COUNT   a file of 8 bytes that is mapped and holds the number of records so far, for whoever watches
//
// A record: u64 number, u8 operation, u8 flags, u16 bytes of the path, u32 bytes of data, u64 offset; path; data.
// Operations: O a file came to be, W written, S synchronized, T cut or extended to offset, M a folder came to be,
// R renamed (data is the new path), U removed. Flag 1: the write is synchronous by itself (O_DSYNC, O_SYNC).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_length;
static int record_file = -1;
static volatile uint64_t *count;
static char *paths[FILES];  // By descriptor: the path below the folder.
static uint8_t synchronous[FILES];

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))real(#name))
static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

__attribute__((constructor)) static void begin(void) {
  const char *where = getenv("RECORDER_FOLDER"), *log = getenv("RECORDER_LOG"), *counter = getenv("RECORDER_COUNT");
  if (where == NULL || log == NULL || counter == NULL) return;
  snprintf(folder, sizeof folder, "%s", where);
  folder_length = strlen(folder);
  int (*open_file)(const char *, int, ...) = real("open");
  int file = open_file(counter, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, 8) != 0) abort();
  count = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  record_file = open_file(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (count == MAP_FAILED || record_file < 0) abort();
}

static void put(char operation, int flags, const char *path, uint64_t offset, const struct iovec *data, int parts) {
  struct __attribute__((packed)) {
    uint64_t number;
    uint8_t operation, flags;
    uint16_t path_bytes;
    uint32_t data_bytes;
    uint64_t offset;
  } head = {*count + 1, (uint8_t)operation, (uint8_t)flags, (uint16_t)strlen(path), 0, offset};
  struct iovec all[2 + IOV_MAX];
  if (parts > IOV_MAX - 2) abort();
  for (int part = 0; part < parts; part++) {
    head.data_bytes += (uint32_t)data[part].iov_len;
    all[2 + part] = data[part];
  }
  all[0] = (struct iovec){&head, sizeof head};
  all[1] = (struct iovec){(void *)path, head.path_bytes};
  ssize_t wanted = (ssize_t)(sizeof head + head.path_bytes + head.data_bytes);
  if (REAL(writev, ssize_t, int, const struct iovec *, int)(record_file, all, 2 + parts) != wanted) abort();
  *count += 1;
}

// The part of a path below the folder, NULL for one elsewhere. The result is valid until the next call on this thread.
static const char *below(int at, const char *path) {
  static __thread char whole[2 * PATH_MAX];
  if (record_file < 0) return NULL;
  if (path[0] == '/' ) {
    snprintf(whole, sizeof whole, "%s", path);
  } else {
    char link[64], start[PATH_MAX];
    snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, start, sizeof start - 1);
    if (length < 0) return NULL;
    start[length] = 0;
    snprintf(whole, sizeof whole, "%s/%s", start, path);
  }
  char *end = whole;
  for (const char *from = whole; *from; from++)
    if (from[0] != '/' || from[1] != '/') *end++ = *from;
  *end = 0;
  if (strncmp(whole, folder, folder_length) != 0) return NULL;
  if (whole[folder_length] == 0) return "";
  return whole[folder_length] == '/' ? whole + folder_length + 1 : NULL;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
  int (*open_file)(int, const char *, int, ...) = real("openat");
  const char *name = below(at, path);
  if (name == NULL) return open_file(at, path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat status;
  int is_new = (flags & O_CREAT) && fstatat(at, path, &status, 0) != 0;
  int file = open_file(at, path, flags, mode), error = errno;
  if (file >= 0 && file < FILES) {
    free(paths[file]);
    paths[file] = strdup(name);
    synchronous[file] = (flags & (O_DSYNC | O_SYNC)) != 0;
    if (is_new) put('O', 0, name, 0, NULL, 0);
    if (!is_new && (flags & O_TRUNC)) put('T', 0, name, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return file;
}

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

#define OPEN(name)                                  \
  int name(const char *path, int flags, ...) {      \
    va_list list;                                   \
    va_start(list, flags);                          \
    mode_t mode = mode_of(flags, list);             \
    va_end(list);                                   \
    return opened(AT_FDCWD, path, flags, mode);     \
  }
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                \
  int name(int at, const char *path, int flags, ...) { \
    va_list list;                                   \
    va_start(list, flags);                          \
    mode_t mode = mode_of(flags, list);             \
    va_end(list);                                   \
    return opened(at, path, flags, mode);           \
  }
OPENAT(openat)
OPENAT(openat64)

static const char *watched(int file) { return record_file >= 0 && file >= 0 && file < FILES ? paths[file] : NULL; }

int close(int file) {
  int (*close_file)(int) = real("close");
  if (watched(file) == NULL) return close_file(file);
  pthread_mutex_lock(&lock);
  free(paths[file]);
  paths[file] = NULL;
  int result = close_file(file);
  pthread_mutex_unlock(&lock);
  return result;
}

// Puts down the first `written` bytes of `data`.
static void wrote(int file, const struct iovec *data, int parts, off_t offset, ssize_t written) {
  struct iovec taken[IOV_MAX];
  int used = 0;
  for (; used < parts && written > 0; used++) {
    taken[used] = data[used];
    if ((ssize_t)taken[used].iov_len > written) taken[used].iov_len = (size_t)written;
    written -= (ssize_t)taken[used].iov_len;
  }
  put('W', synchronous[file], paths[file], (uint64_t)offset, taken, used);
}

static ssize_t written(int file, const struct iovec *data, int parts, off_t offset) {
  pthread_mutex_lock(&lock);
  off_t at = offset;
  if (offset < 0) {
    at = lseek(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    if (at < 0) abort();
  }
  ssize_t result = offset < 0 ? REAL(writev, ssize_t, int, const struct iovec *, int)(file, data, parts)
                              : REAL(pwritev, ssize_t, int, const struct iovec *, int, off_t)(file, data, parts, offset);
  int error = errno;
  if (result > 0) wrote(file, data, parts, at, result);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

ssize_t write(int file, const void *data, size_t bytes) {
  if (watched(file) == NULL) return REAL(write, ssize_t, int, const void *, size_t)(file, data, bytes);
  return written(file, &(struct iovec){(void *)data, bytes}, 1, -1);
}
ssize_t writev(int file, const struct iovec *data, int parts) {
  if (watched(file) == NULL) return REAL(writev, ssize_t, int, const struct iovec *, int)(file, data, parts);
  return written(file, data, parts, -1);
}
#define PWRITE(name)                                                                                               \
  ssize_t name(int file, const void *data, size_t bytes, off_t offset) {                                          \
    if (watched(file) == NULL) return REAL(name, ssize_t, int, const void *, size_t, off_t)(file, data, bytes, offset); \
    return written(file, &(struct iovec){(void *)data, bytes}, 1, offset);                                        \
  }
PWRITE(pwrite)
PWRITE(pwrite64)
#define PWRITEV(name)                                                                                              \
  ssize_t name(int file, const struct iovec *data, int parts, off_t offset) {                                     \
    if (watched(file) == NULL) return REAL(name, ssize_t, int, const struct iovec *, int, off_t)(file, data, parts, offset); \
    return written(file, data, parts, offset);                                                                    \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

// The record comes after the call: only then is anything promised.
#define SYNC(name)                                                      \
  int name(int file) {                                                  \
    int (*synchronize)(int) = real(#name);                              \
    if (watched(file) == NULL) return synchronize(file);                \
    pthread_mutex_lock(&lock);                                          \
    int result = synchronize(file), error = errno;                      \
    if (result == 0) put('S', 0, paths[file], 0, NULL, 0);              \
    pthread_mutex_unlock(&lock);                                        \
    errno = error;                                                      \
    return result;                                                      \
  }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name)                                                  \
  int name(int file, off_t length) {                                    \
    int (*cut)(int, off_t) = real(#name);                               \
    if (watched(file) == NULL) return cut(file, length);                \
    pthread_mutex_lock(&lock);                                          \
    int result = cut(file, length), error = errno;                      \
    if (result == 0) put('T', 0, paths[file], (uint64_t)length, NULL, 0); \
    pthread_mutex_unlock(&lock);                                        \
    errno = error;                                                      \
    return result;                                                      \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

static void named(char operation, int at, const char *path, int new_at, const char *new_path) {
  const char *name = below(at, path);
  if (name == NULL) return;
  char *old = strdup(name);
  const char *target = new_path == NULL ? NULL : below(new_at, new_path);
  struct iovec data = {(void *)target, target == NULL ? 0 : strlen(target)};
  put(operation, 0, old, 0, &data, target != NULL);
  free(old);
}

#define NAMED(call, operation, at, path, new_at, new_path)              \
  pthread_mutex_lock(&lock);                                            \
  int result = (call), error = errno;                                   \
  if (result == 0 && record_file >= 0) named(operation, at, path, new_at, new_path); \
  pthread_mutex_unlock(&lock);                                          \
  errno = error;                                                        \
  return result;

int mkdir(const char *path, mode_t mode) {
  NAMED(REAL(mkdir, int, const char *, mode_t)(path, mode), 'M', AT_FDCWD, path, 0, NULL)
}
int rename(const char *path, const char *new_path) {
  NAMED(REAL(rename, int, const char *, const char *)(path, new_path), 'R', AT_FDCWD, path, AT_FDCWD, new_path)
}
int renameat2(int at, const char *path, int new_at, const char *new_path, unsigned flags) {
  NAMED(REAL(renameat2, int, int, const char *, int, const char *, unsigned)(at, path, new_at, new_path, flags), 'R', at,
        path, new_at, new_path)
}
int unlink(const char *path) { NAMED(REAL(unlink, int, const char *)(path), 'U', AT_FDCWD, path, 0, NULL) }
int unlinkat(int at, const char *path, int flags) {
  NAMED(REAL(unlinkat, int, int, const char *, int)(at, path, flags), 'U', at, path, 0, NULL)
}
int rmdir(const char *path) { NAMED(REAL(rmdir, int, const char *)(path), 'U', AT_FDCWD, path, 0, NULL) }
