// A libmicrohttpd server without anything above it, to measure what ours adds.
//
//   cc -O2 -o bare_mhd bare_mhd.c -lmicrohttpd
//   ./bare_mhd --port 8081 --threads 2 FILE
//
// GET answers the bytes of FILE with Content-Type application/json and ETag "1"; PUT reads the body and answers 204.
#include <getopt.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *content;
static size_t content_size;

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **request) {
  (void)cls, (void)url, (void)version, (void)data;
  static int seen;
  if (*request == NULL) {  // The header is there; the answer follows once the body is.
    *request = &seen;
    return MHD_YES;
  }
  if (*size != 0) {
    *size = 0;
    return MHD_YES;
  }
  struct MHD_Response *response;
  unsigned int status;
  if (strcmp(method, "PUT") == 0) {
    response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    status = MHD_HTTP_NO_CONTENT;
  } else {
    response = MHD_create_response_from_buffer(content_size, content, MHD_RESPMEM_MUST_COPY);
    if (response != NULL) MHD_add_response_header(response, "Content-Type", "application/json");
    status = MHD_HTTP_OK;
  }
  if (response == NULL) return MHD_NO;
  MHD_add_response_header(response, "ETag", "\"1\"");
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static int usage(const char *program) {
  fprintf(stderr, "usage: %s --port PORT [--threads N] FILE\n", program);
  return 2;
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"port", required_argument, NULL, 'p'}, {"threads", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
  long port = 0;
  unsigned int threads = 1;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'p') port = strtol(optarg, NULL, 10);
    else if (option == 't') threads = (unsigned int)strtoul(optarg, NULL, 10);
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
  sigprocmask(SIG_BLOCK, &signals, NULL);  // Before the workers start, which inherit it.
  struct MHD_Daemon *daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, (uint16_t)port, NULL, NULL, &answer,
      NULL, MHD_OPTION_CONNECTION_LIMIT, 4096u, threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads,
      MHD_OPTION_END);
  if (daemon == NULL) return fprintf(stderr, "port %ld can't be listened on\n", port), 1;
  int signal;
  sigwait(&signals, &signal);
  MHD_stop_daemon(daemon);
  free(content);
  return 0;
}
