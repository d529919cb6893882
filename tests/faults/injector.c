/* Makes a process's disk fail, crawl or fill up, and its wall clock jump, as a control file says.
 *
 * Preloaded into the gate. FAULTS_CONTROL is a file of `struct control`, mapped here and written by the test: what it
 * says holds from the next call on. Calls fail whose file's path contains `match`; a file is told by /proc/self/fd, and
 * only while a fault is armed. Monotonic clocks stay as they are: no system lets them jump. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  int32_t create, write, sync, read, unlink, statvfs; /* errno of the failing call, 0: it works */
  int32_t delay_us;                                   /* each matching write, sync and read takes so much longer */
  int32_t n_hits;                                     /* calls failed or delayed, counted here */
  int64_t clock_seconds;                              /* added to the wall clock */
  char match[256];
};

static struct control *control;

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTS_CONTROL");
  if (!path) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void *there = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (there != MAP_FAILED) control = there;
  syscall(SYS_close, fd);
}

static int is_path_hit(const char *path) { return path && *control->match && strstr(path, control->match) != NULL; }

static int is_hit(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return is_path_hit(path);
}

static void hit(void) { __atomic_fetch_add(&control->n_hits, 1, __ATOMIC_RELAXED); }

/* Wait if told to; then say whether the call is to fail. */
static int fails(int fd, int error) {
  if (!control || !(error || control->delay_us) || !is_hit(fd)) return 0;
  hit();
  if (control->delay_us) usleep((useconds_t)control->delay_us);
  if (error) errno = error;
  return error != 0;
}

static int path_fails(const char *path, int error) {
  if (!control || !error || !is_path_hit(path)) return 0;
  hit();
  errno = error;
  return 1;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); va_list a; va_start(a, flags); mode_t mode = va_arg(a, mode_t); va_end(a); \
    if ((flags & O_CREAT) && control && path_fails(path, control->create)) return -1; \
    return real(path, flags, mode); }
OPEN(open)
OPEN(open64)

#define DISK(kind, field, name, parameters, arguments) \
  kind name parameters { REAL(name); if (control && fails(fd, control->field)) return -1; return real arguments; }
DISK(ssize_t, write, write, (int fd, const void *body, size_t n), (fd, body, n))
DISK(ssize_t, write, pwrite, (int fd, const void *body, size_t n, off_t at), (fd, body, n, at))
DISK(ssize_t, write, pwrite64, (int fd, const void *body, size_t n, off64_t at), (fd, body, n, at))
DISK(ssize_t, write, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n))
DISK(int, write, ftruncate, (int fd, off_t n), (fd, n))
DISK(int, write, ftruncate64, (int fd, off64_t n), (fd, n))
DISK(ssize_t, read, read, (int fd, void *body, size_t n), (fd, body, n))
DISK(ssize_t, read, pread, (int fd, void *body, size_t n, off_t at), (fd, body, n, at))
DISK(ssize_t, read, pread64, (int fd, void *body, size_t n, off64_t at), (fd, body, n, at))
DISK(int, sync, fsync, (int fd), (fd))
DISK(int, sync, fdatasync, (int fd), (fd))

int unlink(const char *path) {
  REAL(unlink); if (control && path_fails(path, control->unlink)) return -1; return real(path); }
int statvfs(const char *path, struct statvfs *there) {
  REAL(statvfs); if (control && path_fails(path, control->statvfs)) return -1; return real(path, there); }
int statvfs64(const char *path, struct statvfs64 *there) {
  REAL(statvfs64); if (control && path_fails(path, control->statvfs)) return -1; return real(path, there); }

int clock_gettime(clockid_t which, struct timespec *now) {
  REAL(clock_gettime);
  int result = real(which, now);
  if (!result && control && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
    now->tv_sec += control->clock_seconds;
  return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  REAL(gettimeofday);
  int result = real(now, zone);
  if (!result && control) now->tv_sec += control->clock_seconds;
  return result;
}
time_t time(time_t *there) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (there) *there = now.tv_sec;
  return now.tv_sec;
}
