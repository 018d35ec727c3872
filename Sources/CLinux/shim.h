// SPDX-License-Identifier: Apache-2.0
// Linux system interfaces that Swift's Glibc module does not show, or shows only as macros.
#ifndef STARLING_CLINUX_H
#define STARLING_CLINUX_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// glibc declares these under _GNU_SOURCE only, which must not be set here: Swift's own Glibc module is
// built without it, and the two must agree on every shared type.
extern int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
extern int pthread_setname_np(pthread_t thread, const char *name);

// errno is a macro, which Swift does not see.
static inline int linux_errno(void) { return errno; }

// open is variadic, which Swift cannot call.
static inline int linux_open(const char *path, int flags, mode_t mode) {
    return open(path, flags, mode);
}

// environ is a mutable global, which Swift 6 does not let through. For use while there is one thread.
extern char **environ;
static inline char **linux_environ(void) { return environ; }

// fcntl is variadic, which Swift does not call.
static inline int linux_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

// The same of a descriptor that was inherited: ours alone from now on, and never waiting.
static inline int linux_adopt(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// SIG_IGN is a cast in a macro. A write to a peer that is gone is then an error, not a reason to die.
static inline void linux_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }
// The same for a file that may not grow: RLIMIT_FSIZE then is a full disk like others.
static inline void linux_ignore_sigxfsz(void) { signal(SIGXFSZ, SIG_IGN); }

// The parameters of mallopt are macros. Blocks from `sizeBytes` on are mapped, each by itself, for good:
// by itself glibc would raise that size to that of the largest block freed so far.
static inline int linux_map_blocks_from(int sizeBytes, int keptSizeBytes) {
    return mallopt(M_MMAP_THRESHOLD, sizeBytes) && mallopt(M_TRIM_THRESHOLD, keptSizeBytes);
}

// mallinfo2 gives a struct of which nothing else is wanted: the bytes that are free inside the heaps.
static inline size_t linux_heap_free_bytes(void) { return mallinfo2().fordblks; }

#endif
