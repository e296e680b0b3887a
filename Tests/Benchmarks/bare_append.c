// Appends the records of a log to a new one, as plainly as LMDB can: bare_append FROM TO BATCH, both folders log/ of
// stores. Prints events, batches, bytes, seconds and seconds of CPU; reading the records beforehand is in none of them.
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct record {
  MDB_val key, value;
};

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(int code, const char *what) {
  if (code == 0) return;
  fprintf(stderr, "bare_append: %s: %s\n", what, mdb_strerror(code));
  exit(1);
}

static MDB_env *open_env(const char *path, unsigned int flags) {
  MDB_env *env;
  check(mdb_env_create(&env), "create an environment");
  check(mdb_env_set_maxdbs(env, 8), "set the tables");
  check(mdb_env_set_mapsize(env, 1UL << 40), "set the map size");
  check(mdb_env_open(env, path, flags, 0600), path);
  return env;
}

static MDB_val copy(MDB_val value) {
  MDB_val copied = {value.mv_size, malloc(value.mv_size)};
  if (copied.mv_data == NULL) exit(1);
  memcpy(copied.mv_data, value.mv_data, value.mv_size);
  return copied;
}

int main(int count, char **arguments) {
  size_t batch = count == 4 ? strtoul(arguments[3], NULL, 10) : 0;
  if (batch == 0) return fprintf(stderr, "usage: bare_append FROM TO BATCH\n"), 2;

  // 1. The records, in memory.
  MDB_env *from = open_env(arguments[1], MDB_RDONLY);
  MDB_txn *txn;
  MDB_dbi table;
  MDB_cursor *cursor;
  MDB_stat statistics;
  check(mdb_txn_begin(from, NULL, MDB_RDONLY, &txn), "begin");
  check(mdb_dbi_open(txn, "events", 0, &table), "open events");
  check(mdb_stat(txn, table, &statistics), "count events");
  check(mdb_cursor_open(txn, table, &cursor), "open a cursor");
  struct record *records = calloc(statistics.ms_entries, sizeof *records);
  size_t total = 0, bytes = 0;
  MDB_val key, value;
  while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0 && total < statistics.ms_entries) {
    bytes += value.mv_size;
    records[total++] = (struct record){copy(key), copy(value)};
  }
  mdb_cursor_close(cursor);
  mdb_txn_abort(txn);

  // 2. The same bytes in the same batches.
  MDB_env *to = open_env(arguments[2], 0);
  check(mdb_txn_begin(to, NULL, 0, &txn), "begin");
  check(mdb_dbi_open(txn, "events", MDB_CREATE, &table), "create events");
  check(mdb_txn_commit(txn), "commit");
  size_t batches = 0;
  double started = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t start = 0; start < total; start += batch, batches++) {
    check(mdb_txn_begin(to, NULL, 0, &txn), "begin");
    for (size_t place = start; place < start + batch && place < total; place++)
      check(mdb_put(txn, table, &records[place].key, &records[place].value, MDB_APPEND), "append");
    check(mdb_txn_commit(txn), "commit");
  }
  printf("%zu %zu %zu %.6f %.6f\n", total, batches, bytes, now(CLOCK_MONOTONIC) - started,
         now(CLOCK_PROCESS_CPUTIME_ID) - used);
  mdb_env_close(to);
  mdb_env_close(from);
  return 0;
}
