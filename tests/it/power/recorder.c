/* Tells, on standard error, what a process does to the files below a directory, in the order in which
 * it does it: for machines where no disk of our own can be mounted. Loaded before the C library.
 *
 * A record is its kind, two numbers, a length and so many bytes. Only what Rust's standard library
 * and sled call is seen. Syncs are told and not done: the disk is a model. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void put(const void *bytes, size_t left) {
  while (left > 0) {
    ssize_t done = REAL(ssize_t, "write", int, const void *, size_t)(2, bytes, left);
    if (done <= 0) return;
    bytes = (const char *)bytes + done;
    left -= (size_t)done;
  }
}

static void tell(char kind, uint64_t one, uint64_t other, const void *bytes, uint64_t length) {
  char head[25] = {kind};
  memcpy(head + 1, &one, 8);
  memcpy(head + 9, &other, 8);
  memcpy(head + 17, &length, 8);
  put(head, sizeof head);
  put(bytes, length);
}

static int below(const char *path) {
  const char *root = getenv("RECORDED");
  return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

/* The file's number, or 0 if it lies elsewhere. */
static uint64_t number(int file, char *path) {
  char link[64];
  struct stat found;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, 4095);
  path[length < 0 ? 0 : length] = 0;
  return below(path) && fstat(file, &found) == 0 ? found.st_ino : 0;
}

static int opened(int file, int flags) {
  char path[4096];
  uint64_t inode = file < 0 ? 0 : number(file, path);
  if (inode) tell('o', inode, (flags & O_TRUNC) != 0, path, strlen(path));
  pthread_mutex_unlock(&order);
  return file;
}

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    va_list rest;                                                         \
    va_start(rest, flags);                                                \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;             \
    va_end(rest);                                                         \
    pthread_mutex_lock(&order);                                           \
    return opened(REAL(int, #name, const char *, int, ...)(path, flags, mode), flags); \
  }
OPEN(open)
OPEN(open64)

static ssize_t written(int file, const void *bytes, size_t length, off_t at, int moves) {
  char path[4096];
  pthread_mutex_lock(&order);
  uint64_t inode = number(file, path);
  if (moves) at = lseek(file, 0, SEEK_CUR);
  ssize_t done = moves ? REAL(ssize_t, "write", int, const void *, size_t)(file, bytes, length)
                       : REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t)(file, bytes, length, at);
  if (inode && done > 0) tell('w', inode, (uint64_t)at, bytes, (uint64_t)done);
  pthread_mutex_unlock(&order);
  return done;
}

ssize_t write(int file, const void *bytes, size_t length) {
  /* What the process says has its place in the order; errors would come between the records. */
  if (file == 1) {
    pthread_mutex_lock(&order);
    tell('s', 0, 0, bytes, length);
    pthread_mutex_unlock(&order);
  }
  return file == 1 || file == 2 ? (ssize_t)length : written(file, bytes, length, 0, 1);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  return written(file, bytes, length, at, 0);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off_t at) {
  return written(file, bytes, length, at, 0);
}

int ftruncate64(int file, off_t length) {
  char path[4096];
  pthread_mutex_lock(&order);
  uint64_t inode = number(file, path);
  int done = REAL(int, "ftruncate64", int, off_t)(file, length);
  if (inode && done == 0) tell('l', inode, (uint64_t)length, "", 0);
  pthread_mutex_unlock(&order);
  return done;
}

static int synced(int file, int data_only) {
  char path[4096];
  pthread_mutex_lock(&order);
  uint64_t inode = number(file, path);
  if (inode) tell('f', inode, (uint64_t)data_only, "", 0);
  pthread_mutex_unlock(&order);
  return 0;
}

int fsync(int file) { return synced(file, 0); }

int fdatasync(int file) { return synced(file, 1); }

static int named(char kind, int done, const char *path) {
  if (done == 0 && below(path)) tell(kind, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&order);
  return done;
}

int mkdir(const char *path, mode_t mode) {
  pthread_mutex_lock(&order);
  return named('d', REAL(int, "mkdir", const char *, mode_t)(path, mode), path);
}

int unlink(const char *path) {
  pthread_mutex_lock(&order);
  return named('u', REAL(int, "unlink", const char *)(path), path);
}

int unlinkat(int directory, const char *name, int flags) {
  char path[4096], whole[8192];
  pthread_mutex_lock(&order);
  number(directory, path);
  snprintf(whole, sizeof whole, "%s/%s", path, name);
  int done = REAL(int, "unlinkat", int, const char *, int)(directory, name, flags);
  return named('u', done, directory == AT_FDCWD ? name : whole);
}

int rmdir(const char *path) {
  pthread_mutex_lock(&order);
  return named('u', REAL(int, "rmdir", const char *)(path), path);
}

int rename(const char *from, const char *to) {
  char both[8192];
  pthread_mutex_lock(&order);
  snprintf(both, sizeof both, "%s\n%s", from, to);
  return named('r', REAL(int, "rename", const char *, const char *)(from, to), both);
}
