/* Records what a process asks of the disk, and what it answers on sockets, in the order it happened.
 *
 * Preloaded into the gate. A write is noted before it happens, an fsync after it returned, an answer before it is
 * sent: so "noted before the cut" means "durable before the cut" for an fsync and "may have reached the cart" for an
 * answer. POWER_CUT_ROOT is the watched folder, POWER_CUT_LOG the record. A sync is noted with the place in the code
 * that asked for it, if that thread has said so before (power_cut_place). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 65536
#define ANSWER_BYTES 4096

static char watched[MAX_FD];
static int record_fd = -1;
static char root[4096];
static __thread char place[256];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct __attribute__((packed)) head { uint8_t op; int32_t fd; int64_t at; uint32_t length; };

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWER_CUT_LOG"), *folder = getenv("POWER_CUT_ROOT");
  if (!path || !folder) return;
  strncpy(root, folder, sizeof root - 1);
  record_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(char op, int fd, int64_t at, const void *body, size_t length) {
  if (record_fd < 0) return;
  struct head h = {(uint8_t)op, fd, at, (uint32_t)length};
  struct iovec parts[2] = {{&h, sizeof h}, {(void *)body, length}};
  pthread_mutex_lock(&lock);
  syscall(SYS_writev, record_fd, parts, length ? 2 : 1);
  pthread_mutex_unlock(&lock);
}

static int is_watched(int fd) { return fd >= 0 && fd < MAX_FD && watched[fd]; }
static int in_root(const char *path) { return *root && path && !strncmp(path, root, strlen(root)); }

static void opened(int fd, const char *path, int flags) {
  if (fd < 0 || fd >= MAX_FD || !in_root(path)) return;
  watched[fd] = 1;
  note('O', fd, flags, path, strlen(path));
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); va_list a; va_start(a, flags); mode_t mode = va_arg(a, mode_t); va_end(a); \
    int fd = real(path, flags, mode); opened(fd, path, flags); return fd; }
OPEN(open)
OPEN(open64)
#define OPENAT(name) \
  int name(int at, const char *path, int flags, ...) { \
    REAL(name); va_list a; va_start(a, flags); mode_t mode = va_arg(a, mode_t); va_end(a); \
    int fd = real(at, path, flags, mode); opened(fd, path, flags); return fd; }
OPENAT(openat)
OPENAT(openat64)

static int flags_of(const char *mode) {
  int both = strchr(mode, '+') ? O_RDWR : O_WRONLY;
  return *mode == 'r' ? 0 : *mode == 'a' ? both | O_CREAT | O_APPEND : both | O_CREAT | O_TRUNC;
}
/* What C++ streams write goes through write(); what C's stdio writes is not seen, only that it is synced. */
#define FOPEN(name) \
  FILE *name(const char *path, const char *mode) { \
    REAL(name); FILE *file = real(path, mode); \
    if (file) opened(fileno(file), path, flags_of(mode)); \
    return file; }
FOPEN(fopen)
FOPEN(fopen64)
int fclose(FILE *file) {
  REAL(fclose); int fd = fileno(file);
  if (is_watched(fd)) { note('C', fd, 0, 0, 0); watched[fd] = 0; }
  return real(file);
}

int close(int fd) { REAL(close); if (is_watched(fd)) { note('C', fd, 0, 0, 0); watched[fd] = 0; } return real(fd); }

ssize_t write(int fd, const void *body, size_t n) {
  REAL(write); if (is_watched(fd)) note('W', fd, -1, body, n); return real(fd, body, n); }
ssize_t pwrite(int fd, const void *body, size_t n, off_t at) {
  REAL(pwrite); if (is_watched(fd)) note('W', fd, at, body, n); return real(fd, body, n, at); }
ssize_t pwrite64(int fd, const void *body, size_t n, off64_t at) {
  REAL(pwrite64); if (is_watched(fd)) note('W', fd, at, body, n); return real(fd, body, n, at); }
ssize_t writev(int fd, const struct iovec *parts, int n) {
  REAL(writev);
  if (is_watched(fd)) for (int i = 0; i < n; i++) note('W', fd, -1, parts[i].iov_base, parts[i].iov_len);
  return real(fd, parts, n); }
off_t lseek(int fd, off_t at, int whence) {
  REAL(lseek); off_t now = real(fd, at, whence); if (is_watched(fd)) note('L', fd, now, 0, 0); return now; }
off64_t lseek64(int fd, off64_t at, int whence) {
  REAL(lseek64); off64_t now = real(fd, at, whence); if (is_watched(fd)) note('L', fd, now, 0, 0); return now; }
int ftruncate(int fd, off_t n) { REAL(ftruncate); if (is_watched(fd)) note('T', fd, n, 0, 0); return real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); if (is_watched(fd)) note('T', fd, n, 0, 0); return real(fd, n); }

void power_cut_place(const char *name) { strncpy(place, name, sizeof place - 1); }

#define SYNC(name) \
  int name(int fd) { \
    REAL(name); int r = real(fd); if (!r && is_watched(fd)) note('F', fd, 0, place, strlen(place)); return r; }
SYNC(fsync)
SYNC(fdatasync)

static void two(char op, const char *from, const char *to) {
  char both[8192]; size_t a = strlen(from), b = strlen(to);
  if (!in_root(to) || a + b + 1 > sizeof both) return;
  memcpy(both, from, a); both[a] = 0; memcpy(both + a + 1, to, b);
  note(op, -1, 0, both, a + b + 1);
}
int rename(const char *from, const char *to) { REAL(rename); two('R', from, to); return real(from, to); }
int renameat(int a, const char *from, int b, const char *to) { REAL(renameat); two('R', from, to); return real(a, from, b, to); }
int link(const char *from, const char *to) { REAL(link); two('K', from, to); return real(from, to); }
int unlink(const char *path) { REAL(unlink); if (in_root(path)) note('U', -1, 0, path, strlen(path)); return real(path); }
int unlinkat(int at, const char *path, int flags) {
  REAL(unlinkat); if (in_root(path)) note('U', -1, 0, path, strlen(path)); return real(at, path, flags); }
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir); int r = real(path, mode); if (!r && in_root(path)) note('M', -1, 0, path, strlen(path)); return r; }
int mkdirat(int at, const char *path, mode_t mode) {
  REAL(mkdirat); int r = real(at, path, mode); if (!r && in_root(path)) note('M', -1, 0, path, strlen(path)); return r; }

/* PS3.8 9.3.5: a P-DATA-TF PDU begins with 04H; the gate's C-STORE responses are small. */
ssize_t send(int fd, const void *body, size_t n, int flags) {
  REAL(send);
  if (n && n <= ANSWER_BYTES && *(const unsigned char *)body == 4) note('S', fd, 0, body, n);
  return real(fd, body, n, flags); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  REAL(sendmsg);
  for (size_t i = 0; i < message->msg_iovlen; i++) {
    const struct iovec *part = &message->msg_iov[i];
    if (part->iov_len && part->iov_len <= ANSWER_BYTES && *(const unsigned char *)part->iov_base == 4)
      note('S', fd, 0, part->iov_base, part->iov_len);
  }
  return real(fd, message, flags); }
