// Reads every record of a log once, as plainly as LMDB can: bare_scan DIR. Prints records, bytes and seconds of CPU.
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  MDB_env *env;
  MDB_txn *txn;
  MDB_dbi table;
  MDB_cursor *cursor;
  MDB_val key, value;
  uint64_t records = 0, bytes = 0, sum = 0;
  if (count != 2 || mdb_env_create(&env) || mdb_env_set_maxdbs(env, 8) || mdb_env_set_mapsize(env, 1UL << 40) ||
      mdb_env_open(env, arguments[1], MDB_RDONLY, 0600) || mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) ||
      mdb_dbi_open(txn, "events", 0, &table) || mdb_cursor_open(txn, table, &cursor)) {
    fprintf(stderr, "usage: bare_scan DIR, the folder log/ of a store\n");
    return 1;
  }
  double started = cpu_seconds();
  while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
    records++;
    bytes += value.mv_size;
    // Every byte is read, and nothing else is done with it.
    for (size_t place = 0; place + 8 <= value.mv_size; place += 8) {
      uint64_t word;
      memcpy(&word, (const char *)value.mv_data + place, 8);
      sum += word;
    }
  }
  printf("%lu %lu %.6f %lx\n", (unsigned long)records, (unsigned long)bytes, cpu_seconds() - started, (unsigned long)sum);
  return 0;
}
