// A libmicrohttpd server without anything above it, to measure what ours adds.
//
//   cc -O2 -o bare_mhd bare_mhd.c -lmicrohttpd -llmdb -lpthread
//   ./bare_mhd --port 8081 [--threads 2] [--store FOLDER [--sessions N]] FILE
//
// GET answers the bytes of FILE with Content-Type application/json and ETag "1"; PUT reads the body and answers 204.
//
// With --store they do the least that a store has to, with the same threads: a GET looks its id, the path's end, up in
// an LMDB table of N values, 00-00000001 and so on, each the bytes of FILE; a PUT is suspended until one writer thread
// has appended the body, with all others that wait, in one durable commit, and its ETag is one above the body's version.
// It checks, parses, indexes and keeps nothing else.
#define _GNU_SOURCE
#include <endian.h>
#include <getopt.h>
#include <lmdb.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_WAITING = 4096, MAXIMUM_BODY = 2000 };

struct request {
  struct MHD_Connection *connection;
  size_t size;
  int is_committed;
  char body[MAXIMUM_BODY + 1];  // It ends with a zero, for strtol.
};

static char *content;
static size_t content_size;
static MDB_env *env;  // Null without --store.
static MDB_dbi log_table, values_table;
static __thread MDB_txn *reading;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static struct request *waiting[MAXIMUM_WAITING];
static size_t waiting_count;

static void check(int code, const char *what) {
  if (code == 0) return;
  fprintf(stderr, "bare_mhd: %s: %s\n", what, mdb_strerror(code));
  exit(1);
}

static void *write_log(void *unused) {
  (void)unused;
  static struct request *batch[MAXIMUM_WAITING];
  for (uint64_t position = 0;;) {
    // 1. All that wait.
    pthread_mutex_lock(&mutex);
    while (waiting_count == 0) pthread_cond_wait(&arrived, &mutex);
    size_t count = waiting_count;
    memcpy(batch, waiting, count * sizeof *batch);
    waiting_count = 0;
    pthread_mutex_unlock(&mutex);
    // 2. One commit.
    MDB_txn *txn;
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (size_t place = 0; place < count; place++) {
      uint64_t number = htobe64(++position);
      MDB_val key = {sizeof number, &number}, value = {batch[place]->size, batch[place]->body};
      check(mdb_put(txn, log_table, &key, &value, MDB_APPEND), "append");
    }
    check(mdb_txn_commit(txn), "commit");
    // 3. Their answers.
    for (size_t place = 0; place < count; place++) {
      batch[place]->is_committed = 1;
      MHD_resume_connection(batch[place]->connection);
    }
  }
  return NULL;
}

static void submit(struct request *request) {
  MHD_suspend_connection(request->connection);
  pthread_mutex_lock(&mutex);
  waiting[waiting_count++] = request;  // A connection waits once, and there are no more connections than places.
  if (waiting_count == 1) pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&mutex);
}

/// The version that a body names, 0 when it names none.
static long version_of(struct request *request) {
  static const char name[] = "\"version\":";
  const char *found = memmem(request->body, request->size, name, sizeof name - 1);
  return found == NULL ? 0 : strtol(found + sizeof name - 1, NULL, 10);
}

/// The answer to a GET of what is stored; null when it isn't there.
static struct MHD_Response *look_up(const char *url) {
  if (reading == NULL) check(mdb_txn_begin(env, NULL, MDB_RDONLY, &reading), "begin reading");
  else check(mdb_txn_renew(reading), "renew");
  const char *name = strrchr(url, '/') + 1;
  MDB_val key = {strlen(name), (void *)name}, value;
  struct MHD_Response *response = NULL;
  if (mdb_get(reading, values_table, &key, &value) == 0)
    response = MHD_create_response_from_buffer(value.mv_size, value.mv_data, MHD_RESPMEM_MUST_COPY);
  mdb_txn_reset(reading);
  return response;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **context) {
  (void)cls, (void)version;
  struct request *request = *context;
  if (request == NULL) {  // The header is there; the answer follows once the body is.
    *context = request = malloc(sizeof *request);
    if (request == NULL) return MHD_NO;
    *request = (struct request){.connection = connection};
    return MHD_YES;
  }
  if (*size != 0) {
    if (*size > MAXIMUM_BODY - request->size) return MHD_NO;
    memcpy(request->body + request->size, data, *size);
    request->size += *size;
    *size = 0;
    return MHD_YES;
  }
  struct MHD_Response *response;
  unsigned int status;
  if (strcmp(method, "PUT") == 0) {
    if (env != NULL && !request->is_committed) return submit(request), MHD_YES;
    response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    status = MHD_HTTP_NO_CONTENT;
  } else {
    response = env == NULL ? MHD_create_response_from_buffer(content_size, content, MHD_RESPMEM_MUST_COPY) : look_up(url);
    if (response != NULL) MHD_add_response_header(response, "Content-Type", "application/json");
    status = MHD_HTTP_OK;
  }
  if (response == NULL) return MHD_NO;
  char tag[32] = "\"1\"";
  if (request->is_committed) snprintf(tag, sizeof tag, "\"%ld\"", version_of(request) + 1);
  MHD_add_response_header(response, "ETag", tag);
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static void forget(void *cls, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code) {
  (void)cls, (void)connection, (void)code;
  free(*context);
  *context = NULL;
}

static void open_store(const char *path, unsigned long sessions) {
  check(mdb_env_create(&env), "create an environment");
  check(mdb_env_set_maxdbs(env, 2), "set the tables");
  check(mdb_env_set_mapsize(env, 1UL << 40), "set the map size");
  check(mdb_env_open(env, path, 0, 0600), path);
  MDB_txn *txn;
  check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
  check(mdb_dbi_open(txn, "log", MDB_CREATE, &log_table), "create log");
  check(mdb_dbi_open(txn, "values", MDB_CREATE, &values_table), "create values");
  for (unsigned long number = 1; number <= sessions; number++) {
    char name[32];
    MDB_val key = {(size_t)snprintf(name, sizeof name, "00-%08lu", number), name}, value = {content_size, content};
    check(mdb_put(txn, values_table, &key, &value, MDB_APPEND), "fill");
  }
  check(mdb_txn_commit(txn), "commit");
  pthread_t writer;
  check(pthread_create(&writer, NULL, &write_log, NULL), "start the writer");
}

static int usage(const char *program) {
  fprintf(stderr, "usage: %s --port PORT [--threads N] [--store FOLDER [--sessions N]] FILE\n", program);
  return 2;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"port", required_argument, NULL, 'p'},  {"threads", required_argument, NULL, 't'},
      {"store", required_argument, NULL, 's'}, {"sessions", required_argument, NULL, 'n'},
      {NULL, 0, NULL, 0}};
  long port = 0;
  unsigned int threads = 1;
  unsigned long sessions = 0;
  const char *store = NULL;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'p') port = strtol(optarg, NULL, 10);
    else if (option == 't') threads = (unsigned int)strtoul(optarg, NULL, 10);
    else if (option == 's') store = optarg;
    else if (option == 'n') sessions = strtoul(optarg, NULL, 10);
    else return usage(argv[0]);
  }
  if (optind != argc - 1 || port < 1 || port > 65535 || threads < 1) return usage(argv[0]);

  FILE *file = fopen(argv[optind], "rb");
  if (file == NULL) return perror(argv[optind]), 1;
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  content_size = length > 0 ? (size_t)length : 0;
  content = malloc(content_size + 1);
  if (content == NULL || fread(content, 1, content_size, file) != content_size) return perror(argv[optind]), 1;
  fclose(file);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);  // Before the threads start, which inherit it.
  if (store != NULL) open_store(store, sessions);
  struct MHD_Daemon *daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, (uint16_t)port, NULL, NULL, &answer,
      NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)MAXIMUM_WAITING, MHD_OPTION_NOTIFY_COMPLETED, &forget, NULL,
      threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, MHD_OPTION_END);
  if (daemon == NULL) return fprintf(stderr, "port %ld can't be listened on\n", port), 1;
  int signal;
  sigwait(&signals, &signal);
  exit(0);  // What is suspended or read keeps MHD_stop_daemon and mdb_env_close waiting; the system frees it all.
}
