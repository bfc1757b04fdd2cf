#ifndef TESTS_PLUGINS_LIFETIME_H_
#define TESTS_PLUGINS_LIFETIME_H_

#include <csignal>
#include <ctime>

// Kills this process after `seconds`, so that a test run gone wrong leaves no
// strays. By SIGKILL, which reaches a stopped process too. A forked child
// inherits no timer: it needs its own.
inline void LimitLifetime(int seconds) {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return;
  itimerspec when = {};
  when.it_value.tv_sec = seconds;
  timer_settime(timer, 0, &when, nullptr);
}

#endif  // TESTS_PLUGINS_LIFETIME_H_
