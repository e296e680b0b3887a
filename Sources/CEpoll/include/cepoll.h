// What epoll.c takes the place of. Nothing here is called from Swift; the target is linked for the sake of libmicrohttpd.
#ifndef CEPOLL_H
#define CEPOLL_H

#include <sys/epoll.h>

#endif
