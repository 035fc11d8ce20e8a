// Preloaded: the time of day is off by so many seconds as GANTRY_CLOCK_AHEAD says, and goes on at the right pace. What measures
// durations is left alone, as on a real machine whose clock somebody has set. (libfaketime can't be preloaded here: it
// allocates while jemalloc, which asks it for the time, begins.)
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t ahead(void) {
  static time_t seconds;
  static int known;
  if (!known) {
    const char* const text = getenv("GANTRY_CLOCK_AHEAD");
    seconds = text == NULL ? 0 : strtol(text, NULL, 10);
    known = 1;
  }
  return seconds;
}

int clock_gettime(clockid_t which, struct timespec* out) {
  const int failed = (int)syscall(SYS_clock_gettime, which, out);
  if (failed == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) out->tv_sec += ahead();
  return failed;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
