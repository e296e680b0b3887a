// A load generator that knows what it has asked for and checks every answer: reads or replaces sessions picked at
// random.
//
//   cc -O2 -o client client.c
//   ./client --port 8080 --sessions 100000 --versions FILE --seconds 3 [--connections 64] [--rate 0] [--requests 0]
//            [--seed 1] [--read] BODY
//
// The sessions are 00-00000000 and so on. FILE holds a u32 for each, its version, and is kept up to date. BODY is the
// body of a PUT, in which ID and VERSION stand for the session's; a PUT is an upsert, as shops send it. With --rate so
// many requests a second are due at even distances, and a time counts from when its request was due, whether or not a
// connection was free; otherwise each connection sends its next request as soon as it has an answer. --requests ends it
// earlier than --seconds.
//
// Prints RESULT requests, microseconds, broken, refused, microseconds of the 99th percentile and of the median.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 16384
#define DRAIN_NS 30000000000ull

struct connection {
  int socket;
  uint64_t due;
  uint32_t session;
  int busy;
  size_t received;
  char buffer[BUFFER];
};

static long port, connections = 64, rate, wanted, sessions;
static double seconds = 3;
static int reads;
static uint64_t state = 1;
static const char *body;
static uint32_t *versions;
static uint8_t *busy;
static uint32_t *times;
static size_t answers, room, broken, refused, sent;
// The connections that wait for something to ask, in a ring, so that all of them have their turn.
static uint32_t *idle;
static long idle_first, idle_count;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t random_number(void) {  // SplitMix64.
  uint64_t mixed = state += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

static int fail(const char *what) { return perror(what), exit(1), 1; }

// Replaces ID and VERSION in the body. Returns the length.
static size_t fill_body(char *to, size_t size, uint32_t session, uint32_t version) {
  size_t length = 0;
  for (const char *from = body; *from != 0;) {
    if (size - length < 32) exit(fprintf(stderr, "the body is too long\n"));
    if (strncmp(from, "ID", 2) == 0 && from[2] == '"') {
      length += (size_t)sprintf(to + length, "00-%08u", session);
      from += 2;
    } else if (strncmp(from, "VERSION", 7) == 0) {
      length += (size_t)sprintf(to + length, "%u", version);
      from += 7;
    } else {
      to[length++] = *from++;
    }
  }
  return length;
}

static void ask(struct connection *connection, uint64_t due) {
  static char request[BUFFER], content[BUFFER];
  uint32_t session;
  // While a change of a session is under way nobody knows its version.
  do session = (uint32_t)(random_number() % (uint64_t)sessions);
  while (busy[session]);
  int length =
      snprintf(request, sizeof request, "%s /session-context/acme/context/00-%08u%s HTTP/1.1\r\nHost: localhost\r\n",
               reads ? "GET" : "PUT", session, reads ? "" : "?upsert=true");
  size_t whole = (size_t)length;
  if (reads) {
    whole += (size_t)sprintf(request + whole, "\r\n");
  } else {
    size_t bytes = fill_body(content, sizeof content, session, versions[session]);
    if (bytes + whole + 128 > sizeof request) exit(fprintf(stderr, "the body is too long\n"));
    whole += (size_t)sprintf(request + whole, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", bytes);
    memcpy(request + whole, content, bytes);
    whole += bytes;
    busy[session] = 1;
  }
  connection->due = due;
  connection->session = session;
  connection->busy = 1;
  connection->received = 0;
  sent++;
  for (size_t place = 0; place < whole;) {
    ssize_t count = send(connection->socket, request + place, whole - place, MSG_NOSIGNAL);
    if (count > 0) {
      place += (size_t)count;
    } else if (errno == EAGAIN) {
      poll(&(struct pollfd){connection->socket, POLLOUT, 0}, 1, 1000);
    } else {
      return;  // The connection is broken, which receiving will tell.
    }
  }
}

// Whether the answer that lies in the buffer is the one that was asked for.
static int is_right(const struct connection *connection, const char *content) {
  char expected[64];
  const char *tag = strcasestr(connection->buffer, "\r\nETag: \"");
  uint32_t version = versions[connection->session] + (reads ? 0 : 1);
  if (strncmp(connection->buffer, reads ? "HTTP/1.1 200" : "HTTP/1.1 204", 12) != 0) return 0;
  if (tag == NULL || strtoul(tag + 9, NULL, 10) != version) return 0;
  if (!reads) return 1;
  int length = sprintf(expected, "{\"sessionId\":\"00-%08u\",", connection->session);
  return strncmp(content, expected, (size_t)length) == 0;
}

// Takes in what has come. Returns whether an answer is whole.
static int receive(struct connection *connection) {
  ssize_t count =
      recv(connection->socket, connection->buffer + connection->received, BUFFER - 1 - connection->received, 0);
  if (count < 0 && errno == EAGAIN) return 0;
  if (count <= 0) {
    broken++;
    connection->busy = 0;
    close(connection->socket);
    connection->socket = -1;
    return 0;
  }
  connection->received += (size_t)count;
  connection->buffer[connection->received] = 0;
  char *end = strstr(connection->buffer, "\r\n\r\n");
  if (end == NULL) return 0;
  const char *length = strcasestr(connection->buffer, "\r\nContent-Length:");
  size_t whole =
      (size_t)(end + 4 - connection->buffer) + (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
  if (connection->received < whole) return 0;
  if (!is_right(connection, end + 4)) {
    if (refused++ == 0)
      fprintf(stderr, "session %u, version %u: %s\n", connection->session, versions[connection->session],
              connection->buffer);
  } else if (!reads) {
    versions[connection->session]++;
  }
  busy[connection->session] = 0;
  connection->busy = 0;
  if (answers == room) {
    room = room ? 2 * room : 1 << 16;
    times = realloc(times, room * sizeof *times);
    if (times == NULL) fail("remember the times");
  }
  times[answers++] = (uint32_t)((now() - connection->due) / 1000);
  return 1;
}

static void rest(uint32_t connection) { idle[(idle_first + idle_count++) % connections] = connection; }

static uint32_t wake(void) {
  uint32_t connection = idle[idle_first];
  idle_first = (idle_first + 1) % connections;
  idle_count--;
  return connection;
}

// When the next request is due.
static uint64_t due_at(uint64_t started) { return started + (uint64_t)((double)sent * 1e9 / (double)rate); }

static int compare(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static int dial(void) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(file, F_SETFL, O_NONBLOCK);
  return file;
}

static uint32_t *map_versions(const char *path) {
  int file = path == NULL ? -1 : open(path, O_RDWR);
  off_t size = file < 0 ? 0 : lseek(file, 0, SEEK_END);
  if (size < (off_t)sessions * 4) exit(fprintf(stderr, "--versions must name a file of 4 bytes a session\n"));
  void *mapped = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) fail(path);
  close(file);
  return mapped;
}

int main(int count, char **arguments) {
  static const struct option options[] = {{"port", 1, NULL, 'p'},     {"connections", 1, NULL, 'c'},
                                          {"seconds", 1, NULL, 's'},  {"sessions", 1, NULL, 'n'},
                                          {"versions", 1, NULL, 'v'}, {"rate", 1, NULL, 'r'},
                                          {"requests", 1, NULL, 'q'}, {"seed", 1, NULL, 'e'},
                                          {"read", 0, NULL, 'g'},     {NULL, 0, NULL, 0}};
  const char *path = NULL;
  for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
    switch (option) {
      case 'p':
        port = atol(optarg);
        break;
      case 'c':
        connections = atol(optarg);
        break;
      case 's':
        seconds = atof(optarg);
        break;
      case 'n':
        sessions = atol(optarg);
        break;
      case 'v':
        path = optarg;
        break;
      case 'r':
        rate = atol(optarg);
        break;
      case 'q':
        wanted = atol(optarg);
        break;
      case 'e':
        state = strtoull(optarg, NULL, 10);
        break;
      case 'g':
        reads = 1;
        break;
      default:
        return 2;
    }
  }
  if (optind != count - 1 || connections < 1 || sessions < 2 * connections) {
    return fprintf(stderr, "usage: see the head of client.c; there must be twice as many sessions as connections\n"), 2;
  }
  body = arguments[optind];
  versions = map_versions(path);
  busy = calloc((size_t)sessions, 1);
  struct connection *all = calloc((size_t)connections, sizeof *all);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  idle = calloc((size_t)connections, sizeof *idle);
  if (busy == NULL || all == NULL || idle == NULL || poller < 0) fail("start");
  for (long number = 0; number < connections; number++) {
    all[number].socket = dial();
    rest((uint32_t)number);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, all[number].socket, &event) != 0) fail("watch a connection");
  }

  const uint64_t started = now(), end = started + (uint64_t)(seconds * 1e9);
  uint64_t last = started;
  long open = 0;
  struct epoll_event events[256];
  while (1) {
    uint64_t time = now();
    int ends = time >= end || (wanted > 0 && sent >= (size_t)wanted);
    if ((ends && open == 0) || (size_t)connections == broken || time > end + DRAIN_NS) break;
    // Due requests go to idle connections; without a rate one is always due.
    while (!ends && idle_count > 0) {
      uint64_t due = rate > 0 ? due_at(started) : time;
      if (due > time) break;
      ask(&all[wake()], due);
      open++;
      ends = wanted > 0 && sent >= (size_t)wanted;
    }
    // Until the next one is due, or for as long as it takes.
    uint64_t next = ends ? end + DRAIN_NS : rate > 0 && idle_count > 0 ? due_at(started) : end;
    time = now();
    uint64_t wait = next > time ? next - time : 0;
    struct timespec span = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
    int ready = epoll_pwait2(poller, events, 256, &span, NULL);
    for (int place = 0; place < ready; place++) {
      struct connection *connection = &all[events[place].data.u32];
      if (!connection->busy) {
        // Nothing was asked: the server has closed the connection, or speaks without being asked.
        fprintf(stderr, "a connection was closed while nothing was asked\n");
        return 1;
      }
      if (receive(connection)) last = now();
      if (connection->busy) continue;
      open--;
      if (connection->socket >= 0) rest(events[place].data.u32);
    }
  }
  broken += (size_t)open;
  if (answers == 0) return fprintf(stderr, "there was no answer\n"), 1;
  qsort(times, answers, sizeof *times, compare);
  printf("RESULT %zu %lu %zu %zu %u %u\n", answers, (unsigned long)((last - started) / 1000), broken, refused,
         times[(answers - 1) * 99 / 100], times[(answers - 1) / 2]);
  return 0;
}
