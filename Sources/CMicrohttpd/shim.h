#pragma once
// libmicrohttpd, and what of it Swift cannot call: its variadic functions and its va_list logger.
#include <linux/sockios.h>
#include <microhttpd.h>
#include <sys/ioctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// accept4(2) is declared under _GNU_SOURCE only, which the toolchain's Glibc module is built without.
extern int accept4(int listener, struct sockaddr *_Nullable address, socklen_t *_Nullable length, int flags);

// Where log lines go. The library's logger gets a format with a va_list, which a Swift callback cannot take.
struct cmhd_log_sink {
  void (*_Nonnull write)(void *_Nullable context, const char *_Nonnull message);
  void *_Nullable context;
};

static inline void cmhd_format_log(void *sink, const char *format, va_list arguments) {
  char message[512];
  const struct cmhd_log_sink *target = (const struct cmhd_log_sink *)sink;
  if (vsnprintf(message, sizeof message, format, arguments) >= 0) target->write(target->context, message);
}

// What a daemon is started with. All callbacks get `context`.
struct cmhd_start {
  unsigned int worker_threads;
  unsigned int connection_limit;
  size_t connection_memory;
  struct cmhd_log_sink *_Nonnull log;
  void *_Nullable context;
  MHD_AccessHandlerCallback _Nonnull handle;
  MHD_NotifyConnectionCallback _Nonnull connection;
  MHD_RequestCompletedCallback _Nonnull completed;
  void *_Nullable (*_Nonnull target)(void *_Nullable, const char *_Nonnull, struct MHD_Connection *_Nonnull);
  size_t (*_Nonnull unescape)(void *_Nullable, struct MHD_Connection *_Nonnull, char *_Nonnull);
};

// MHD_start_daemon is variadic. The daemon has no listening socket: connections come through MHD_add_connection.
// The logger stands first because it must be known before an option can be refused. A pool of one is no pool.
static inline struct MHD_Daemon *_Nullable cmhd_start_daemon(const struct cmhd_start *_Nonnull start) {
  const unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                             MHD_USE_NO_LISTEN_SOCKET;
  struct MHD_OptionItem options[] = {
      {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)&cmhd_format_log, start->log},
      {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)start->connection_limit, NULL},
      {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)start->connection_memory, NULL},
      {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)start->connection, start->context},
      {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)start->completed, start->context},
      {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)start->target, start->context},
      {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)start->unescape, start->context},
      {start->worker_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)start->worker_threads, NULL},
      {MHD_OPTION_END, 0, NULL},
  };
  return MHD_start_daemon(flags, 0, NULL, NULL, start->handle, start->context, MHD_OPTION_ARRAY, options,
                          MHD_OPTION_END);
}

// MHD_get_connection_info is variadic, and answers with a union. What MHD_NotifyConnectionCallback stored, or null.
static inline void *_Nullable cmhd_socket_context(struct MHD_Connection *_Nonnull connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

// The same: the connection's socket, or -1.
static inline int cmhd_socket(struct MHD_Connection *_Nonnull connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

// The same: the client's address, or null.
static inline const struct sockaddr *_Nullable cmhd_client_address(struct MHD_Connection *_Nonnull connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info ? info->client_addr : NULL;
}

// The same: the bytes from the request line to the empty line after the header, or 0 before that was reached.
static inline size_t cmhd_header_size(struct MHD_Connection *_Nonnull connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info ? info->header_size : 0;
}

// MHD_set_response_options is variadic. Sends no chunks, and ends the connection instead.
static inline void cmhd_avoid_chunks(struct MHD_Response *_Nonnull response) {
  MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

// ioctl is variadic. The bytes that the kernel holds for the client (tcp(7), unix(7): SIOCOUTQ), or -1.
static inline int cmhd_unsent_bytes(int file) {
  int bytes = 0;
  return ioctl(file, SIOCOUTQ, &bytes) == 0 ? bytes : -1;
}

// POLLRDHUP (poll(2)), which the header only shows with _GNU_SOURCE.
static const short cmhd_poll_hangup = 0x2000;

// The values by which a reader callback ends a body. They are macros with a cast, which Swift does not import.
static const ssize_t cmhd_end_of_stream = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t cmhd_end_with_error = MHD_CONTENT_READER_END_WITH_ERROR;
