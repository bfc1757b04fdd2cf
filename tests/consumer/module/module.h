#ifndef TESTS_CONSUMER_MODULE_MODULE_H_
#define TESTS_CONSUMER_MODULE_MODULE_H_

// What the host finds in a module by dlsym, as "Describe".
struct ModuleCalls {
  bool (*has_its_own_sdk)();
  bool (*launch)(const char* plugin);
  bool (*put_and_get)();
  bool (*shutdown)();
};

using DescribeModule = const ModuleCalls* (*)();

#endif  // TESTS_CONSUMER_MODULE_MODULE_H_
