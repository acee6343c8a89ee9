// SPDX-License-Identifier: MIT
// For LD_PRELOAD: fails one allocation of 256 KiB or more, the n-th from when n was written to the file that FAIL_FILE
// names. The file then has 0; while it has more, so many are left.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t size);

static int fails(size_t size) {
  if (size < 256 * 1024) return 0;
  const char *path = getenv("FAIL_FILE");
  const int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return 0;
  char text[16] = {0};
  const int left = read(file, text, sizeof text - 1) > 0 ? atoi(text) : 0;
  if (left > 0) {
    const int length = snprintf(text, sizeof text, "%-8d", left - 1);
    if (pwrite(file, text, length, 0) != length) abort();
  }
  close(file);
  return left == 1;
}

void *malloc(size_t size) {
  if (!fails(size)) return __libc_malloc(size);
  errno = ENOMEM;
  return NULL;
}
