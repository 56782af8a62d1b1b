/* Faults at the border to the kernel, for tests: preloaded, it counts what changes files under a path, and at one of
 * these calls kills the process, fails, or does half; or it writes down every call, for a power cut to be played back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { OFF, COUNT, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY, IO_ERROR, DISK_FULL, RECORD };

static char prefix[PATH_MAX];
static int mode = OFF;
static long at = 0, seen = 0;
static FILE *record = NULL;

void fault_arm(const char *under, int what, long number) {
    strncpy(prefix, under, sizeof prefix - 1);
    mode = what, at = number, seen = 0;
}
long fault_seen(void) { return seen; }
void fault_record(const char *file) { record = fopen(file, "wb"); }
void fault_mark(void) {
    fprintf(record, "M - 0 0\n");
    fflush(record);
}

static int watched(int fd, char *path) {
    char link[64];
    ssize_t n;
    if (mode == OFF) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static void note(char kind, const char *path, long offset, long length, const void *data) {
    if (mode != RECORD || !record) return;
    fprintf(record, "%c %s %ld %ld\n", kind, path, offset, length);
    if (data) fwrite(data, 1, (size_t)length, record);
}

/* 1 where this call is the one at which the fault lies. */
static int due(void) { return mode != OFF && mode != RECORD && ++seen == at; }
static void die(void) { kill(getpid(), SIGKILL); }

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static ssize_t written(const char *name, int fd, const void *data, size_t length, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) = REAL(ssize_t (*)(int, const void *, size_t, off_t), name);
    char path[PATH_MAX];
    ssize_t done;
    if (!watched(fd, path)) return real(fd, data, length, offset);
    if (due()) {
        if (mode == KILL_BEFORE) die();
        if (mode == KILL_HALFWAY) real(fd, data, length / 2, offset), die();
        if (mode == IO_ERROR) return errno = EIO, -1;
        if (mode == DISK_FULL) return real(fd, data, length / 2, offset), errno = ENOSPC, -1;
        done = real(fd, data, length, offset);
        if (mode == KILL_AFTER) die();
        return done;
    }
    note('W', path, (long)offset, (long)length, data);
    return real(fd, data, length, offset);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t o) { return written("pwrite", fd, data, n, o); }
ssize_t pwrite64(int fd, const void *data, size_t n, off_t o) { return written("pwrite64", fd, data, n, o); }

static int synced(const char *name, int fd) {
    int (*real)(int) = REAL(int (*)(int), name), done;
    char path[PATH_MAX];
    if (!watched(fd, path)) return real(fd);
    if (due()) {
        if (mode == KILL_BEFORE || mode == KILL_HALFWAY) die();
        if (mode == IO_ERROR || mode == DISK_FULL) return errno = mode == IO_ERROR ? EIO : ENOSPC, -1;
        done = real(fd);
        if (mode == KILL_AFTER) die();
        return done;
    }
    note('S', path, 0, 0, NULL);
    return real(fd);
}
int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

static int cut(const char *name, int fd, off_t length) {
    int (*real)(int, off_t) = REAL(int (*)(int, off_t), name), done;
    char path[PATH_MAX];
    if (!watched(fd, path)) return real(fd, length);
    if (due()) {
        if (mode == KILL_BEFORE || mode == KILL_HALFWAY) die();
        if (mode == IO_ERROR || mode == DISK_FULL) return errno = mode == IO_ERROR ? EIO : ENOSPC, -1;
        done = real(fd, length);
        if (mode == KILL_AFTER) die();
        return done;
    }
    note('T', path, 0, (long)length, NULL);
    return real(fd, length);
}
int ftruncate(int fd, off_t length) { return cut("ftruncate", fd, length); }
int ftruncate64(int fd, off_t length) { return cut("ftruncate64", fd, length); }

int unlink(const char *path) {
    int (*real)(const char *) = REAL(int (*)(const char *), "unlink"), done;
    if (mode == OFF || strncmp(path, prefix, strlen(prefix)) != 0) return real(path);
    if (due()) {
        if (mode == KILL_BEFORE || mode == KILL_HALFWAY) die();
        if (mode == IO_ERROR || mode == DISK_FULL) return errno = EIO, -1;
        done = real(path);
        if (mode == KILL_AFTER) die();
        return done;
    }
    note('U', path, 0, 0, NULL);
    return real(path);
}
