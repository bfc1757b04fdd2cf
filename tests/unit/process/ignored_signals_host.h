#ifndef GOPLUGIN_TESTS_UNIT_PROCESS_IGNORED_SIGNALS_HOST_H_
#define GOPLUGIN_TESTS_UNIT_PROCESS_IGNORED_SIGNALS_HOST_H_

// What a host does after it has loaded the library: a handler for SIGHUP, the
// default for SIGQUIT, SIGUSR2 and SIGPIPE ignored. Then it starts a child, and
// prints which signals that ignores. By a C name, for dlsym.
extern "C" int RunIgnoredSignalsHost();

#endif  // GOPLUGIN_TESTS_UNIT_PROCESS_IGNORED_SIGNALS_HOST_H_
